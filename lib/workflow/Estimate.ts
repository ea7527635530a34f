/**
 * What the pending jobs of a plan will take, as past runs of theirs took it: nothing is guessed where there
 * was none. Of several past runs the one counts whose params were nearest, the latest among equals.
 */
import { Effect, type Schema } from "effect"
import { leavesOf } from "./Explain.ts"
import { blobsOf, type Manifest } from "./Manifest.ts"
import { ManifestStore } from "./ManifestStore.ts"
import { type Plan, type PlannedJob, pendingJobs } from "./Plan.ts"
import type { Pool } from "./Stage.ts"

export interface JobEstimate {
  readonly seconds: number
  /** Size of the blobs of its result; those that the store holds already take no more room. */
  readonly storedBytes: number
  /** How its params differ from those of the past run, by path: `training.epochs`. */
  readonly differs: ReadonlyArray<string>
}

export interface PlanEstimate {
  /** Of the pending jobs that ran before. */
  readonly jobs: { readonly [job: string]: JobEstimate }
  /** The pending jobs that never ran: nothing of them is in the sums. */
  readonly unknown: ReadonlyArray<string>
  /** From the start to the end of the last job, as wide as the pools are. */
  readonly wallSeconds: number
  readonly storedBytes: number
}

export type PoolWidths = { readonly [P in Pool]: number }

const differing = (before: Schema.JsonObject, after: Schema.JsonObject): ReadonlyArray<string> => {
  const [old, now] = [leavesOf(before), leavesOf(after)]
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].filter((path) => old[path] !== now[path])
}

const secondsOf = ({ provenance }: Manifest): number | undefined =>
  typeof provenance.seconds === "number" ? provenance.seconds : undefined

/** `recent`: the latest first. */
const fromPast = (job: PlannedJob, recent: ReadonlyArray<Manifest>): JobEstimate | undefined => {
  let nearest: JobEstimate | undefined
  for (const manifest of recent) {
    const seconds = secondsOf(manifest)
    if (seconds === undefined || manifest.stage !== job.stage) continue
    const differs = differing(manifest.params, job.job.ref.params)
    if (nearest !== undefined && differs.length >= nearest.differs.length) continue
    const storedBytes = blobsOf(manifest.output.value).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    nearest = { seconds, storedBytes, differs }
  }
  return nearest
}

/** Every job starts when its inputs are there and its pool has a place, in the order of the plan. */
const wallSeconds = (plan: Plan, jobs: PlanEstimate["jobs"], widths: PoolWidths): number => {
  const freeAt = { cpu: Array<number>(widths.cpu).fill(0), gpu: Array<number>(widths.gpu).fill(0) }
  const endsAt = new Map<string, number>()
  for (const { dependsOn, name, pool } of plan.jobs) {
    const readyAt = Math.max(0, ...dependsOn.map((input) => endsAt.get(input) ?? 0))
    const seconds = jobs[name]?.seconds ?? 0
    if (seconds === 0) {
      endsAt.set(name, readyAt)
      continue
    }
    const places = freeAt[pool]
    const place = places.indexOf(Math.min(...places))
    const end = Math.max(readyAt, places[place]!) + seconds
    places[place] = end
    endsAt.set(name, end)
  }
  return Math.max(0, ...endsAt.values())
}

/** A job by its name. */
export interface NamedJob {
  readonly pipeline: string
  readonly job: string
}

const pathOf = ({ job, pipeline }: NamedJob): string => `${pipeline}/${job}`

/** The latest of each first; every job is asked for once. */
const recentByName = Effect.fnUntraced(function* (jobs: ReadonlyArray<NamedJob>) {
  const store = yield* ManifestStore
  const distinct = new Map(jobs.map((one) => [pathOf(one), one]))
  const found = yield* Effect.forEach(
    distinct,
    ([path, { job, pipeline }]) =>
      Effect.map(store.recent(pipeline, job), (recent) => [path, recent] as const),
    { concurrency: 8 }
  )
  return new Map(found)
})

/** `alike`: other jobs whose past runs tell what one will take, where its own do not tell more. */
export const estimatePlan = Effect.fn("estimatePlan")(function* (
  plan: Plan,
  widths: PoolWidths,
  alike: (job: PlannedJob) => ReadonlyArray<NamedJob> = () => []
) {
  const asked = pendingJobs(plan).map((job) => ({
    job,
    names: [{ pipeline: plan.pipeline.name, job: job.name }, ...alike(job)]
  }))
  const past = yield* recentByName(asked.flatMap(({ names }) => names))
  const found = asked.map(({ job, names }) => {
    return [
      job.name,
      fromPast(
        job,
        names.flatMap((one) => past.get(pathOf(one))!)
      )
    ] as const
  })
  const jobs: PlanEstimate["jobs"] = Object.fromEntries(
    found.flatMap(([name, one]) => (one === undefined ? [] : [[name, one]]))
  )
  return {
    jobs,
    unknown: found.flatMap(([name, one]) => (one === undefined ? [name] : [])),
    wallSeconds: wallSeconds(plan, jobs, widths),
    storedBytes: Object.values(jobs).reduce((sum, { storedBytes }) => sum + storedBytes, 0)
  } satisfies PlanEstimate as PlanEstimate
})
