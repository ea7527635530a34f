/**
 * Runs jobs in this process: for tests and debuggers. A body that blocks or crashes takes everything with it.
 */
import { Effect, Layer, Scope } from "effect"
import type { BlobStore } from "../../lib/storage/BlobStore.ts"
import type { Hasher } from "../../lib/storage/Digest.ts"
import type { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import {
  Executor,
  type JobControl,
  type JobRequest,
  StageFailed,
  WorkerLost
} from "../../lib/workflow/Executor.ts"
import { runBody } from "../../lib/workflow/runBody.ts"
import type { StateSeals } from "../../lib/workflow/StateSeals.ts"

type Storage = ObjectStore | BlobStore | Hasher | StateSeals

const servicesFailed = (request: JobRequest) => (error: unknown) =>
  new StageFailed({
    jobName: request.jobName,
    stage: request.stage.stageName,
    errorTag: "ServicesUnavailable",
    reason: `the services it needs cannot be made: ${String((error as Error).message ?? error)}`,
    transient: false,
    logTail: []
  })

const killed = (request: JobRequest) =>
  new WorkerLost({
    jobName: request.jobName,
    how: "it was to end at once",
    transient: false,
    isOutOfMemory: false,
    logTail: []
  })

/** Ends the job when its own control says so; a body that blocks this process cannot be ended. */
const controlled = Effect.fn("InProcessExecutor.controlled")(function* <A, E>(
  request: JobRequest,
  { kill, stop }: JobControl,
  stopRequested: Effect.Effect<boolean>,
  job: (stopRequested: Effect.Effect<boolean>) => Effect.Effect<A, E>
) {
  let stopping = false
  const listen = Effect.andThen(
    stop,
    Effect.suspend(() => {
      stopping = true
      return Effect.never
    })
  )
  const end = Effect.andThen(kill, killed(request))
  const either = Effect.map(stopRequested, (all) => all || stopping)
  return yield* Effect.raceFirst(job(either), Effect.raceFirst(end, listen))
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
        execute: Effect.fn("InProcessExecutor.execute")(function* (request, onSignal, control) {
          const context = yield* Effect.mapError(services, servicesFailed(request))
          const job = (stop: Effect.Effect<boolean>) =>
            runBody(request, { onSignal, stopRequested: stop }).pipe(
              Effect.provideContext(context),
              Effect.provideContext(storage)
            )
          if (control === undefined) return yield* job(stopRequested)
          return yield* controlled(request, control, stopRequested, job)
        })
      }
    })
  )
