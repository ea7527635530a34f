/**
 * What a person watching a run sees of it, built from its events: pure, so that it can be tested without a
 * terminal.
 */
import type { LeaseRecord } from "../../lib/storage/Lease.ts"
import type { Progress } from "../../lib/workflow/JobContext.ts"
import type { RunEvent } from "../../lib/workflow/RunEvent.ts"

/** Where the pace is measured from: the first report of a stretch of work. */
interface PaceStart {
  readonly done: number
  readonly atMillis: number
}

export interface RunningJob {
  readonly name: string
  readonly stage: string
  readonly startedAtMillis: number
  readonly progress: Progress | undefined
  readonly progressAtMillis: number
  readonly paceStart: PaceStart
}

/** A job that another run computes. */
export interface WaitingJob {
  readonly name: string
  readonly holder: LeaseRecord | undefined
}

export interface RunView {
  readonly stages: ReadonlyMap<string, string>
  readonly running: ReadonlyMap<string, RunningJob>
  readonly waiting: ReadonlyMap<string, WaitingJob>
  /** Columns of the longest job name, so that lines align. */
  readonly nameColumns: number
}

export const emptyView: RunView = {
  stages: new Map(),
  running: new Map(),
  waiting: new Map(),
  nameColumns: 0
}

/**
 * The pace starts anew when the total changes or the work goes back; a resumed job is measured from where it
 * is.
 */
const withProgress = (job: RunningJob, progress: Progress, nowMillis: number): RunningJob => {
  const before = job.progress
  const goesOn =
    before !== undefined &&
    before.total === progress.total &&
    before.unit === progress.unit &&
    progress.done >= before.done
  const paceStart = goesOn ? job.paceStart : { done: progress.done, atMillis: nowMillis }
  return { ...job, progress, progressAtMillis: nowMillis, paceStart }
}

const started = (view: RunView, name: string, nowMillis: number): RunningJob => ({
  name,
  stage: view.stages.get(name) ?? "",
  startedAtMillis: nowMillis,
  progress: undefined,
  progressAtMillis: nowMillis,
  paceStart: { done: 0, atMillis: nowMillis }
})

const withJob = (view: RunView, job: RunningJob): RunView => ({
  ...withoutJob(view, job.name),
  running: new Map(view.running).set(job.name, job)
})

const withWaiting = (view: RunView, job: WaitingJob): RunView => ({
  ...withoutJob(view, job.name),
  waiting: new Map(view.waiting).set(job.name, job)
})

const withoutJob = (view: RunView, name: string): RunView => {
  const running = new Map(view.running)
  const waiting = new Map(view.waiting)
  running.delete(name)
  waiting.delete(name)
  return { ...view, running, waiting }
}

/** What is looked at of an event; one read back from a log has no more. */
export type SeenEvent =
  | Exclude<RunEvent, { readonly _tag: "RunStarted" | "RunFinished" }>
  | {
      readonly _tag: "RunStarted"
      readonly plan: { readonly jobs: ReadonlyArray<{ readonly name: string; readonly stage: string }> }
    }
  | { readonly _tag: "RunFinished" }

export const advance = (view: RunView, event: SeenEvent, nowMillis: number): RunView => {
  switch (event._tag) {
    case "RunStarted": {
      const jobs = event.plan.jobs
      return {
        stages: new Map(jobs.map((job) => [job.name, job.stage])),
        running: new Map(),
        waiting: new Map(),
        nameColumns: Math.max(0, ...jobs.map((job) => job.name.length))
      }
    }
    case "JobStarted":
      return withJob(view, started(view, event.job, nowMillis))
    case "JobProgress": {
      const job = view.running.get(event.job) ?? started(view, event.job, nowMillis)
      return withJob(view, withProgress(job, event.progress, nowMillis))
    }
    case "JobWaiting":
      return withWaiting(view, { name: event.job, holder: event.holder })
    case "JobHit":
    case "JobRetrying":
    case "JobFinished":
    case "JobFailed":
    case "JobSkipped":
      return withoutJob(view, event.job)
    case "RunFinished":
      return { ...view, running: new Map(), waiting: new Map() }
    case "RunNote":
    case "JobNote":
    case "JobOutput":
      return view
  }
}

/**
 * Seconds that the work reported so far needs until its end, at the pace it had; `undefined` while unknown.
 */
export const secondsLeft = (job: RunningJob, nowMillis: number): number | undefined => {
  const { paceStart, progress, progressAtMillis } = job
  if (progress === undefined) return undefined
  const done = progress.done - paceStart.done
  const tookMillis = progressAtMillis - paceStart.atMillis
  if (done <= 0 || tookMillis <= 0) return undefined
  const leftMillis = ((progress.total - progress.done) * tookMillis) / done
  return Math.max(0, (leftMillis - (nowMillis - progressAtMillis)) / 1000)
}
