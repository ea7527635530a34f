/** Work in promises that cleans up after itself, as an effect. */
import { Effect } from "effect"

/**
 * When its fiber is interrupted, the work is told so by the signal and waited for: what it began on the disk
 * is gone before the process is. Fails with what the promise is rejected with.
 */
export const stoppable = <A>(work: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.callback((resume) => {
    const controller = new AbortController()
    const settled = work(controller.signal).then(
      (value) => resume(Effect.succeed(value)),
      (cause) => resume(Effect.fail(cause))
    )
    return Effect.promise(() => {
      controller.abort()
      return settled
    })
  })
