/**
 * Ctrl-C and friends: the first signal asks the running command to stop in its own way, the second ends it at
 * once. Commands that have no way of their own end with the first.
 */
import { Context, Effect, type Fiber, Layer, type Scope } from "effect"
import { exitCodes } from "./errors.ts"

type StopSignal = "SIGINT" | "SIGTERM"

export class StopRequests extends Context.Service<
  StopRequests,
  {
    /** Runs `stop` on the first signal, as long as the scope is open. */
    readonly onFirst: (stop: Effect.Effect<void>) => Effect.Effect<void, never, Scope.Scope>
    /** The exit code that the signal received asks for, if there was one. */
    readonly exitCode: Effect.Effect<number | undefined>
  }
>()("infra/cli/StopRequests") {}

/** Time for finalizers (killing children, giving the terminal back) once it must end at once. */
const graceMillis = 1_500

export interface StopHandling {
  readonly layer: Layer.Layer<StopRequests>
  /** Listens until the fiber is done. */
  readonly listen: (fiber: Fiber.Fiber<unknown, unknown>) => void
  readonly exitCode: () => number | undefined
}

export const makeStopHandling = (): StopHandling => {
  let stop: Effect.Effect<void> | undefined
  let received: StopSignal | undefined
  const exitCode = () => (received === undefined ? undefined : exitCodes[received])
  const onFirst = (effect: Effect.Effect<void>) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        stop = effect
      }),
      () =>
        Effect.sync(() => {
          stop = undefined
        })
    )
  const listen = (fiber: Fiber.Fiber<unknown, unknown>): void => {
    const onSignal = (signal: StopSignal): void => {
      const gently = received === undefined ? stop : undefined
      received ??= signal
      if (gently !== undefined) {
        Effect.runFork(gently)
        return
      }
      fiber.interruptUnsafe()
      setTimeout(() => process.exit(exitCode()), graceMillis)
    }
    process.on("SIGINT", onSignal)
    process.on("SIGTERM", onSignal)
    // A parent that keeps a channel to us, the scheduler, and is gone: nobody waits for this any more.
    const isOrphan = process.send !== undefined && !process.connected
    if (isOrphan) onSignal("SIGTERM")
    else process.on("disconnect", () => onSignal("SIGTERM"))
  }
  return {
    layer: Layer.succeed(StopRequests, { onFirst, exitCode: Effect.sync(exitCode) }),
    listen,
    exitCode
  }
}
