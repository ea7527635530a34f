/**
 * Keeps what a run did: `<run id>.jsonl` in a folder, a line an event, written when it happens. A process
 * that is killed leaves all lines it wrote.
 */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, utimesSync, writeSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { Clock, Effect, Schedule } from "effect"
import type { Reporter } from "../../lib/workflow/Reporter.ts"
import type { RunEvent } from "../../lib/workflow/RunEvent.ts"
import { type LoggedEvent, loggedEvent } from "./LoggedEvent.ts"

export const logExtension = ".jsonl"

/** The latest logs are kept, no more. */
const numLogsMax = 200

/** A job that goes on for days writes some ten thousand of these. */
const progressMillis = 10_000
/** A new phase (an epoch) is written sooner, unless phases fly by. */
const phaseMillis = 1_000
/** A job that prints without end must not fill the disk. */
const numOutputLinesMax = 10_000

/** The file is touched so often while its run goes on. */
export const touchMillis = 10_000

type JobProgress = Extract<RunEvent, { readonly _tag: "JobProgress" }>

/** Of a job, what was written last, and what was held back since. */
interface Written {
  readonly at: number
  readonly phase: string
  readonly held: { readonly event: JobProgress; readonly at: number } | undefined
}

interface Timed {
  readonly event: RunEvent
  readonly at: number
}

/** Holds progress back so that a log stays small, but never the last of a phase or of a job. */
export class ProgressFilter {
  readonly #jobs = new Map<string, Written>()

  /** What is to be written now that this has happened. */
  after(event: RunEvent, at: number): ReadonlyArray<Timed> {
    if (event._tag === "JobProgress") return this.#progress(event, at)
    if (!("job" in event)) return [{ event, at }]
    const held = event._tag === "JobNote" || event._tag === "JobOutput" ? [] : this.#taken(event.job)
    return [...held, { event, at }]
  }

  #taken(job: string): ReadonlyArray<Timed> {
    const held = this.#jobs.get(job)?.held
    this.#jobs.delete(job)
    return held === undefined ? [] : [held]
  }

  #progress(event: JobProgress, at: number): ReadonlyArray<Timed> {
    const { job, progress } = event
    const last = this.#jobs.get(job)
    const since = last === undefined ? Number.POSITIVE_INFINITY : at - last.at
    const isNew = last !== undefined && last.phase !== progress.phase && since >= phaseMillis
    if (since < progressMillis && !isNew) {
      this.#jobs.set(job, { ...last!, held: { event, at } })
      return []
    }
    this.#jobs.set(job, { at, phase: progress.phase, held: undefined })
    const ended = last?.held
    return [...(isNew && ended !== undefined ? [ended] : []), { event, at }]
  }
}

/** Removes the oldest logs. Run ids are in the order of time. */
const prune = (folder: string): void => {
  const logs = readdirSync(folder).filter((name) => name.endsWith(logExtension))
  for (const name of logs.sort().slice(0, -numLogsMax)) rmSync(join(folder, name), { force: true })
}

interface OpenLog {
  readonly file: string
  readonly descriptor: number
}

const open = (folder: string, runId: string): OpenLog => {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${runId}${logExtension}`)
  const opened = { file, descriptor: openSync(file, "a") }
  prune(folder)
  return opened
}

const outputLimit = () => {
  const numLines = new Map<string, number>()
  return (event: RunEvent): RunEvent | undefined => {
    if (event._tag !== "JobOutput") return event
    const count = (numLines.get(event.job) ?? 0) + 1
    numLines.set(event.job, count)
    if (count < numOutputLinesMax) return event
    return count === numOutputLinesMax
      ? { ...event, line: "(what it prints from here on is left out)" }
      : undefined
  }
}

/**
 * What cannot be written is left out: a run is worth more than its log. The log is closed with the scope.
 */
export const makeEventLog = Effect.fn("makeEventLog")(function* (folder: string) {
  const process_ = { host: hostname(), pid: process.pid }
  const filter = new ProgressFilter()
  const limited = outputLimit()
  let log: OpenLog | undefined
  const attempt = (write: () => void) => Effect.ignore(Effect.try({ try: write, catch: () => undefined }))
  const writeAll = (events: ReadonlyArray<LoggedEvent>) => {
    const text = events.map((event) => `${JSON.stringify(event)}\n`).join("")
    if (log !== undefined && text !== "") writeSync(log.descriptor, text)
  }
  yield* Effect.addFinalizer(() =>
    attempt(() => {
      if (log !== undefined) closeSync(log.descriptor)
      log = undefined
    })
  )
  const touch = Effect.flatMap(Clock.currentTimeMillis, (now) =>
    attempt(() => {
      if (log !== undefined) utimesSync(log.file, now / 1000, now / 1000)
    })
  )
  yield* Effect.forkScoped(Effect.repeat(touch, Schedule.spaced(touchMillis)))
  const emit: Reporter["Service"]["emit"] = Effect.fnUntraced(function* (event) {
    const now = yield* Clock.currentTimeMillis
    yield* attempt(() => {
      if (event._tag === "RunStarted") log = open(folder, event.runId)
      const kept = limited(event)
      if (kept === undefined) return
      writeAll(filter.after(kept, now).map((timed) => loggedEvent(timed.event, timed.at, process_)))
    })
  })
  return emit
})
