/**
 * Runs every job in a child process: a crash, a leak or a blocked event loop stays there.
 *
 * A job of the pool `gpu` has a process of its own. Those of the pool `cpu` are run by processes that serve
 * one after another; what one job leaves behind does not reach the next (`leftovers.ts`). Interrupting
 * `execute` kills the process with all it started.
 */
import { Effect, Layer } from "effect"
import {
  Executor,
  type JobControl,
  type JobError,
  JobInterrupted,
  type JobRequest,
  type JobResult,
  type JobSignal,
  StageFailed,
  WorkerLost
} from "../../lib/workflow/Executor.ts"
import { StateSeals } from "../../lib/workflow/StateSeals.ts"
import { type CodeBundle, CodeBundles } from "../code/CodeClosure.ts"
import type { ChildProcessOptions, Ended, JobLink, JobProcess } from "./JobProcess.ts"
import type { ChildRequest } from "./messages.ts"
import { makeProcessPool, type ProcessPool } from "./ProcessPool.ts"
import { answerTo } from "./stateQuestions.ts"

export interface ChildExecutorOptions extends ChildProcessOptions {
  /** A fresh process for every job, of whatever pool. */
  readonly alwaysFresh?: boolean
}

const outcome = (
  { jobName, stage }: JobRequest,
  { ending, logTail }: Ended
): Effect.Effect<JobResult, JobError> => {
  switch (ending._tag) {
    case "Done":
      return Effect.succeed(ending.result)
    case "Stopped":
      return Effect.fail(new JobInterrupted({ jobName }))
    case "Lost": {
      const { how, isOutOfMemory, signal } = ending
      const transient = signal === "SIGKILL"
      return Effect.fail(new WorkerLost({ jobName, how, transient, isOutOfMemory, logTail }))
    }
    case "Failed": {
      const { errorTag, reason, transient } = ending
      const stageName = stage.stageName
      return Effect.fail(new StageFailed({ jobName, stage: stageName, errorTag, reason, transient, logTail }))
    }
  }
}

/** Passes on what the job's control says, and never ends by itself: what comes of it is told by the child. */
const controlling = (process: JobProcess, { kill, stop }: JobControl): Effect.Effect<never> =>
  Effect.gen(function* () {
    yield* stop
    process.stop()
    yield* kill
    process.kill()
    return yield* Effect.never
  })

const bundleOf = (bundles: CodeBundles["Service"], request: JobRequest) =>
  Effect.mapError(
    bundles.of(request),
    ({ _tag, message }) =>
      new StageFailed({
        jobName: request.jobName,
        stage: request.stage.stageName,
        errorTag: _tag,
        reason: message,
        transient: false,
        logTail: []
      })
  )

/** A process that has a job. */
interface Busy {
  readonly process: JobProcess
  readonly ended: Promise<Ended>
  /** Once it is known how the job ended. */
  isReusable: boolean
}

const childRequest = ({ stage, ...rest }: JobRequest, { file, root }: CodeBundle): ChildRequest => ({
  ...rest,
  stageName: stage.stageName,
  pool: stage.pool ?? "cpu",
  bundleFile: file,
  packageRoot: root
})

const followed = (busy: Busy, request: JobRequest): Effect.Effect<JobResult, JobError> =>
  Effect.promise(() => busy.ended).pipe(
    Effect.tap(({ ending }) =>
      Effect.sync(() => {
        busy.isReusable = ending._tag === "Done" && ending.isReusable
      })
    ),
    Effect.flatMap((ended) => outcome(request, ended))
  )

const makeExecutor = (
  bundles: CodeBundles["Service"],
  seals: StateSeals["Service"],
  pool: ProcessPool,
  alwaysFresh: boolean
): Executor["Service"] => {
  const running = new Set<JobProcess>()
  let stopping = false
  /** Decided in one go: a stop is asked for before, and nothing starts, or after, and the child is told. */
  const launch = (request: ChildRequest, link: JobLink) =>
    Effect.suspend((): Effect.Effect<Busy, JobInterrupted> => {
      if (stopping) return Effect.fail(new JobInterrupted({ jobName: request.jobName }))
      // The traps of strict mode stay in a process.
      const isFresh = alwaysFresh || request.pool === "gpu" || request.watch !== undefined
      const process = pool.take(isFresh)
      running.add(process)
      const ended = process.run(request, isFresh, link)
      // Looked at by whoever follows the job; nobody may be left to.
      ended.catch(() => undefined)
      return Effect.succeed({ process, ended, isReusable: false })
    })
  const end = ({ isReusable, process }: Busy) =>
    Effect.sync(() => {
      running.delete(process)
      if (isReusable && !stopping) pool.giveBack(process)
      else process.kill()
    })
  return {
    requestStop: Effect.sync(() => {
      stopping = true
      for (const process of running) process.stop()
    }),
    execute: Effect.fn("ChildProcessExecutor.execute")(function* (request, onSignal, control) {
      const bundle = yield* bundleOf(bundles, request)
      const runPromise = Effect.runPromiseWith(yield* Effect.context<never>())
      const link: JobLink = {
        onSignal: (signal: JobSignal) => runPromise(onSignal(signal)),
        onQuestion: (question) => runPromise(answerTo(question, seals, request))
      }
      return yield* Effect.acquireUseRelease(
        launch(childRequest(request, bundle), link),
        (busy) =>
          control === undefined
            ? followed(busy, request)
            : Effect.raceFirst(followed(busy, request), controlling(busy.process, control)),
        end
      )
    })
  }
}

export const childProcessExecutorLayer = (
  options: ChildExecutorOptions
): Layer.Layer<Executor, never, CodeBundles | StateSeals> =>
  Layer.effect(
    Executor,
    Effect.gen(function* () {
      const pool = makeProcessPool(options)
      yield* Effect.addFinalizer(() => Effect.sync(() => pool.close()))
      return makeExecutor(yield* CodeBundles, yield* StateSeals, pool, options.alwaysFresh ?? false)
    })
  )
