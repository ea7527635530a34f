/** `distillery ls` */
import { Clock, Effect } from "effect"
import type { RunReport } from "../../lib/workflow/RunReport.ts"
import { type StoredResult, sizeOf, storeListing } from "../../lib/workflow/StoreUsage.ts"
import { suggestion } from "../../lib/workflow/suggestions.ts"
import { bytes, number } from "../reporting/numbers.ts"
import { oneLine, type Paint } from "../reporting/paint.ts"
import { type Column, table } from "../reporting/table.ts"
import { read } from "../settings.ts"
import { storageLayer } from "../storageLayers.ts"
import { UsageError } from "./errors.ts"
import { recordedName } from "./findPipeline.ts"
import { Output, printJson } from "./Output.ts"
import { recentRuns } from "./runs.ts"

export interface LsFlags {
  readonly name: string | undefined
  readonly runs: boolean
  readonly json: boolean
}

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000]
] as const

/** `3 d`, `5 h`, `12 min`. */
const age = (iso: string, now: number): string => {
  const millis = now - Date.parse(iso)
  if (Number.isNaN(millis)) return "?"
  for (const [unit, length] of units) if (millis >= length) return `${Math.floor(millis / length)} ${unit}`
  return "< 1 min"
}

interface Listing {
  readonly columns: ReadonlyArray<Column>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
  readonly document: unknown
}

const right = (title: string): Column => ({ title, align: "right" })

/** One line for each pipeline, or for each of its jobs. */
const byName = (
  results: ReadonlyArray<StoredResult>,
  nameOf: (result: StoredResult) => string,
  now: number
): Listing => {
  const groups = [...Map.groupBy(results, nameOf)].map(([name, ofOne]) => ({
    name,
    jobs: new Set(ofOne.map(({ job }) => job)).size,
    results: ofOne.length,
    scopes: [...new Set(ofOne.map(({ scope }) => scope))],
    sizeBytes: sizeOf(ofOne),
    latest: ofOne[0]!.createdAt
  }))
  return {
    columns: [
      { title: "name" },
      right("jobs"),
      right("results"),
      right("size"),
      right("latest"),
      { title: "scopes" }
    ],
    rows: groups.map((one) => [
      oneLine(one.name),
      number(one.jobs),
      number(one.results),
      bytes(one.sizeBytes),
      age(one.latest, now),
      one.scopes.join(", ")
    ]),
    document: groups
  }
}

const eachResult = (results: ReadonlyArray<StoredResult>, now: number): Listing => ({
  columns: [{ title: "key" }, { title: "scope" }, { title: "stage" }, right("size"), right("age")],
  rows: results.map(({ createdAt, key, scope, stage, ...one }) => [
    key.slice("sha256:".length, "sha256:".length + 12),
    scope,
    stage,
    bytes(sizeOf([{ createdAt, key, scope, stage, ...one }])),
    age(createdAt, now)
  ]),
  document: results.map(({ objects, ...result }) => ({
    ...result,
    sizeBytes: sizeOf([{ objects, ...result }])
  }))
})

const eachRun = (
  runs: ReadonlyArray<RunReport>,
  results: ReadonlyArray<StoredResult>,
  now: number
): Listing => {
  const listed = runs.map(({ jobs, pipeline, runId, startedAt, status }) => {
    const keys = new Set(jobs.map(({ key }) => key))
    const sizeBytes = sizeOf(results.filter(({ key }) => keys.has(key)))
    return { runId, pipeline, status, jobs: jobs.length, sizeBytes, startedAt }
  })
  return {
    columns: [
      { title: "run" },
      { title: "pipeline" },
      { title: "status" },
      right("jobs"),
      right("size"),
      right("age")
    ],
    rows: listed.map((one) => [
      one.runId,
      oneLine(one.pipeline),
      one.status,
      number(one.jobs),
      bytes(one.sizeBytes),
      age(one.startedAt, now)
    ]),
    document: listed
  }
}

/** As many as anybody looks through. */
const numRuns = 100

const listingOf = Effect.fn("ls.listingOf")(function* ({ name, runs }: LsFlags) {
  const now = yield* Clock.currentTimeMillis
  const { results } = yield* storeListing
  if (runs) return eachRun(yield* recentRuns(numRuns), results, now)
  if (name === undefined) return byName(results, ({ pipeline }) => pipeline, now)
  const text = yield* recordedName(name)
  const ofPipeline = results.filter(({ pipeline }) => pipeline === text)
  if (ofPipeline.length > 0) return byName(ofPipeline, ({ job, pipeline }) => `${pipeline}/${job}`, now)
  const ofJob = results.filter(({ job, pipeline }) => `${pipeline}/${job}` === text || job === text)
  if (ofJob.length > 0) return eachResult(ofJob, now)
  const known = [...new Set(results.flatMap(({ job, pipeline }) => [pipeline, `${pipeline}/${job}`]))]
  return yield* new UsageError({
    what: `the store has no pipeline or job "${name}"`,
    fix: known.length === 0 ? "It holds no results yet" : suggestion(name, known)
  })
})

const lines = ({ columns, rows }: Listing, paint: Paint): ReadonlyArray<string> =>
  rows.length === 0 ? ["The store holds no results yet."] : table(columns, rows, paint)

export const ls = Effect.fn("ls")(function* (flags: LsFlags) {
  const { paint, print } = yield* Output
  const settings = yield* read
  const listing = yield* Effect.provide(listingOf(flags), storageLayer(settings))
  yield* flags.json ? printJson({ schemaVersion: 1, listed: listing.document }) : print(lines(listing, paint))
})
