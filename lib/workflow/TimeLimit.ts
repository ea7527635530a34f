/** A limit on the time that one attempt at a job takes: it is asked to stop, and killed when it does not. */
import { Deferred, Effect, Schema } from "effect"
import type { JobControl, JobError, JobResult } from "./Executor.ts"
import { Progress } from "./JobContext.ts"

/** `90 s`, `10 m`, `1.5 h`: as `--time-limit` takes it, with a space. */
const limitText = (millis: number): string => {
  if (millis < 120_000) return `${millis / 1000} s`
  return millis < 7_200_000 ? `${+(millis / 60_000).toFixed(1)} m` : `${+(millis / 3_600_000).toFixed(1)} h`
}

/** It took longer than it may; trying again would take as long, so it is no transient error. */
export class TimeLimitExceeded extends Schema.TaggedError<TimeLimitExceeded>()("TimeLimitExceeded", {
  jobName: Schema.String,
  limitMillis: Schema.Number,
  /** What it reported last; `null` where it reported nothing. */
  reached: Schema.NullOr(Progress),
  /** Whether it stopped by itself, its state saved; it was killed otherwise. */
  stopped: Schema.Boolean,
  logTail: Schema.Array(Schema.String)
}) {
  override get message() {
    const { jobName, limitMillis, reached, stopped } = this
    const came =
      reached === null
        ? "it had reported no progress"
        : `it had come to ${reached.done} of ${reached.total} ${reached.unit} (${reached.phase})`
    const ended = stopped ? "It stopped with its state saved" : "It did not stop when asked and was killed"
    const more = limitText(2 * limitMillis).replace(" ", "")
    return (
      `Job "${jobName}" took longer than its limit of ${limitText(limitMillis)}: ${came}. ${ended}. ` +
      `Run again: it goes on from its last saved state; or give it longer: --time-limit ${jobName}=${more}.`
    )
  }
}

/** Time to stop by itself: a step, and saving the state. */
const graceMillisOf = (limitMillis: number): number => Math.min(30_000, Math.max(5_000, limitMillis / 10))

export interface LimitedJob {
  readonly jobName: string
  /** `undefined` where it may take as long as it likes. */
  readonly limitMillis: number | undefined
  readonly reached: () => Progress | undefined
}

/** A job that is done within its grace time is done. */
export const limited = Effect.fn("limited")(function* (
  { jobName, limitMillis, reached }: LimitedJob,
  execute: (control?: JobControl) => Effect.Effect<JobResult, JobError>
) {
  if (limitMillis === undefined) return yield* execute()
  const stop = yield* Deferred.make<void>()
  const kill = yield* Deferred.make<void>()
  const timer = Effect.gen(function* () {
    yield* Effect.sleep(limitMillis)
    yield* Deferred.succeed(stop, undefined)
    yield* Effect.sleep(graceMillisOf(limitMillis))
    yield* Deferred.succeed(kill, undefined)
    return yield* Effect.never
  })
  const job = execute({ stop: Deferred.await(stop), kill: Deferred.await(kill) })
  return yield* Effect.raceFirst(job, timer).pipe(
    Effect.catch(
      Effect.fnUntraced(function* (error) {
        const isLate = yield* Deferred.isDone(stop)
        if (!isLate || error._tag === "StageFailed") return yield* error
        return yield* new TimeLimitExceeded({
          jobName,
          limitMillis,
          reached: reached() ?? null,
          stopped: error._tag === "JobInterrupted",
          logTail: error._tag === "WorkerLost" ? error.logTail : []
        })
      })
    )
  )
})
