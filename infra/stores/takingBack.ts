/** A write that takes back what it has begun when it is interrupted, as the parts of an upload. */
import { Effect } from "effect"

/** Who interrupts waits no longer; what is left then is `gc`'s. */
const takeBackMillis = 3_000

export const takingBack = <A, E>(
  write: (signal: AbortSignal) => Promise<A>,
  onError: (error: unknown) => E
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    let ended: Promise<unknown> = Promise.resolve()
    const begun = (signal: AbortSignal): Promise<A> => {
      const writing = write(signal)
      ended = writing.catch(() => undefined)
      return writing
    }
    const taken = Effect.timeoutOption(
      Effect.promise(() => ended),
      takeBackMillis
    )
    return Effect.onInterrupt(Effect.tryPromise({ try: begun, catch: onError }), () => taken)
  })
