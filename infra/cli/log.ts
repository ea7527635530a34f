/** `distillery log` */
import { Effect } from "effect"
import { suggestion } from "../../lib/workflow/suggestions.ts"
import type { LoggedEvent } from "../reporting/LoggedEvent.ts"
import { chronicle, dateAndTime, logByJob, runHeadline } from "../reporting/logLines.ts"
import type { Paint } from "../reporting/paint.ts"
import { followEventLog, type RunLog, type RunStatus, readEventLog } from "../reporting/readEventLog.ts"
import { countsLine } from "../reporting/summary.ts"
import { table } from "../reporting/table.ts"
import { read, type SettingsValue } from "../settings.ts"
import { storageLayer } from "../storageLayers.ts"
import { UsageError } from "./errors.ts"
import { Output, printJson } from "./Output.ts"
import { findRun, knownRuns, noRunYet, runLogFolder, runRecord } from "./runs.ts"
import { namesOf } from "./selection.ts"

export interface LogFlags {
  readonly run: string
  readonly jobs: ReadonlyArray<string>
  readonly follow: boolean
  readonly list: boolean
  readonly json: boolean
}

const iso = (at: number): string => new Date(at).toISOString()

const eventDocument = ({ at, ...event }: LoggedEvent) => ({ at: iso(at), ...event })

const document = (log: RunLog, jobs: ReadonlyArray<string>) => ({
  schemaVersion: 1,
  runId: log.start.runId,
  pipeline: log.start.pipeline,
  status: log.status,
  startedAt: iso(log.start.at),
  jobs: log.start.plan.jobs.filter(({ name }) => jobs.includes(name)),
  events: log.events.filter((event) => !("job" in event) || jobs.includes(event.job)).map(eventDocument)
})

/** The jobs to show: those named, or all of the run. */
const jobsOf = Effect.fn("log.jobsOf")(function* (log: RunLog, flags: LogFlags) {
  const known = log.start.plan.jobs.map(({ name }) => name)
  const names = namesOf(flags.jobs)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    return yield* new UsageError({
      what: `run ${log.start.runId} has no job "${unknown}": ${suggestion(unknown, known)}`
    })
  }
  return names.length === 0 ? known : known.filter((name) => names.includes(name))
})

const endLine = (status: RunStatus, paint: Paint): string =>
  status === "killed"
    ? `${paint.red("the run was killed")}: its process is gone. Run again: it goes on from its saved state`
    : `the run ended: ${status}`

/** Lines as they come; with --json, one event a line. */
const follow = Effect.fn("log.follow")(function* (
  folder: string,
  runId: string,
  jobs: ReadonlyArray<string>,
  json: boolean
) {
  const { errorPaint, paint, print, tell } = yield* Output
  const linesOf = chronicle(jobs, paint)
  const asJson = (event: LoggedEvent) =>
    !("job" in event) || jobs.includes(event.job) ? [JSON.stringify(eventDocument(event))] : []
  const status = yield* followEventLog(folder, runId, (events) =>
    print(events.flatMap(json ? asJson : linesOf))
  )
  yield* tell([endLine(status, errorPaint)])
})

/** Of a run of another machine there is its record in the store alone. */
const fromRecord = Effect.fn("log.fromRecord")(function* (runId: string, json: boolean) {
  const record = yield* runRecord(runId)
  if (record === undefined) {
    return yield* new UsageError({ what: `the record of run ${runId} cannot be read` })
  }
  const { paint, print, tell } = yield* Output
  if (json) {
    const { pipeline, startedAt, status, jobs } = record
    return yield* printJson({ schemaVersion: 1, runId, pipeline, status, startedAt, jobs, events: [] })
  }
  yield* tell(["Only the record of this run is here: its log lies where it ran"])
  yield* print([runHeadline(record, paint), countsLine(record)])
})

interface ListedRun {
  readonly runId: string
  readonly pipeline: string
  readonly status: RunStatus
  readonly startedAt: string
  readonly summary: string
}

const listedRun = Effect.fn("log.listedRun")(function* (folder: string, runId: string) {
  const record = yield* runRecord(runId)
  if (record !== undefined) {
    const { pipeline, startedAt, status } = record
    return { runId, pipeline, status, startedAt, summary: countsLine(record) } as ListedRun
  }
  const log = yield* Effect.promise(() => readEventLog(folder, runId))
  if (log === undefined) return undefined
  const { at, pipeline } = log.start
  return { runId, pipeline, status: log.status, startedAt: iso(at), summary: "" } as ListedRun
})

const numListed = 20

const list = Effect.fn("log.list")(function* (settings: SettingsValue, json: boolean) {
  const { paint, print } = yield* Output
  const folder = runLogFolder(settings)
  const ids = (yield* knownRuns(settings)).slice(0, numListed)
  if (ids.length === 0 && !json) return yield* noRunYet
  const found = yield* Effect.forEach(ids, (runId) => listedRun(folder, runId), { concurrency: 8 })
  const runs = found.flatMap((run) => run ?? [])
  if (json) return yield* printJson({ schemaVersion: 1, runs })
  const titles = ["run", "pipeline", "started", "status", "jobs"]
  const rows = runs.map(({ pipeline, runId, startedAt, status, summary }) => [
    paint.bold(runId),
    pipeline,
    dateAndTime(Date.parse(startedAt)),
    status,
    summary
  ])
  yield* print(
    table(
      titles.map((title) => ({ title })),
      rows,
      paint
    )
  )
})

const show = Effect.fn("log.show")(function* (settings: SettingsValue, flags: LogFlags) {
  const folder = runLogFolder(settings)
  const runId = yield* findRun(flags.run, yield* knownRuns(settings))
  const log = yield* Effect.promise(() => readEventLog(folder, runId))
  if (log === undefined) return yield* fromRecord(runId, flags.json)
  const jobs = yield* jobsOf(log, flags)
  if (flags.follow) return yield* follow(folder, runId, jobs, flags.json)
  const { paint, print } = yield* Output
  yield* flags.json ? printJson(document(log, jobs)) : print(logByJob(log, jobs, paint))
})

export const log = Effect.fn("log")(function* (flags: LogFlags) {
  const settings = yield* read
  const shown = flags.list ? list(settings, flags.json) : show(settings, flags)
  yield* Effect.provide(shown, storageLayer(settings))
})
