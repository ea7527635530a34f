/**
 * Runs jobs in this process: for tests and debuggers. A body that blocks or crashes takes everything with it.
 */
import { Effect, Layer, Scope } from "effect"
import type { BlobStore } from "../../lib/storage/BlobStore.ts"
import type { Hasher } from "../../lib/storage/Digest.ts"
import type { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import { Executor, type JobRequest, StageFailed } from "../../lib/workflow/Executor.ts"
import { runBody } from "../../lib/workflow/runBody.ts"

type Storage = ObjectStore | BlobStore | Hasher

const servicesFailed = (request: JobRequest) => (error: unknown) =>
  new StageFailed({
    jobName: request.jobName,
    stage: request.stage.stageName,
    errorTag: "ServicesUnavailable",
    reason: `the services it needs cannot be made: ${String((error as Error).message ?? error)}`,
    logTail: []
  })

/**
 * `bodyServices`: all that any stage's body asks for beyond storage; built once, when the first job starts.
 */
export const inProcessExecutorLayer = <R, E>(
  bodyServices: Layer.Layer<R, E, Storage>
): Layer.Layer<Executor, never, Storage> =>
  Layer.effect(
    Executor,
    Effect.gen(function* () {
      const storage = yield* Effect.context<Storage>()
      const scope = yield* Scope.Scope
      const services = yield* Effect.cached(
        Layer.buildWithScope(bodyServices, scope).pipe(Effect.provideContext(storage))
      )
      let stopping = false
      const stopRequested = Effect.sync(() => stopping)
      return {
        requestStop: Effect.sync(() => {
          stopping = true
        }),
        execute: Effect.fn("InProcessExecutor.execute")(function* (request, onSignal) {
          const context = yield* Effect.mapError(services, servicesFailed(request))
          return yield* runBody(request, { onSignal, stopRequested }).pipe(
            Effect.provideContext(context),
            Effect.provideContext(storage)
          )
        })
      }
    })
  )
