/** Waiting for somebody else, but not for ever. */
import { setTimeout as delay } from "node:timers/promises"

/** While this process does not get to run, as on a machine with too much to do, the other may not either. */
const numTicks = 80

/**
 * Rejects with `late()` once `millis` have passed in which this process was awake, an eightieth at a time;
 * then, and when the work is done, the signal ends what goes on.
 */
export const withinTime = async <A>(
  millis: number,
  work: (signal: AbortSignal) => Promise<A>,
  late: () => Error
): Promise<A> => {
  const ending = new AbortController()
  const { signal } = ending
  const deadline = async (): Promise<never> => {
    for (let tick = 0; tick < numTicks; tick++) await delay(millis / numTicks, undefined, { signal })
    throw late()
  }
  try {
    return await Promise.race([work(signal), deadline()])
  } finally {
    ending.abort()
  }
}
