/** What a run would do, as a table or as a document. */
import type { JobEstimate, PlanEstimate } from "../../lib/workflow/Estimate.ts"
import type { JobState, Plan, PlannedJob } from "../../lib/workflow/Plan.ts"
import { duration, metric } from "./numbers.ts"
import { oneLine, type Paint } from "./paint.ts"
import { table } from "./table.ts"

export interface PlanDocument {
  readonly schemaVersion: 1
  readonly pipeline: string
  /** How many of the selected jobs are no hits. */
  readonly pending: number
  readonly jobs: ReadonlyArray<{
    readonly name: string
    readonly stage: string
    readonly key: string | null
    readonly state: "hit" | "will-run" | "waits" | "not-selected"
    readonly reason: string
    readonly changes: ReadonlyArray<{ readonly kind: string; readonly path: string; readonly text: string }>
    /** `null` for what does not run, and where there is no past run. */
    readonly estimate: JobEstimate | null
  }>
  /** What is pending in all; `null` where nobody asked. */
  readonly estimate: (Omit<PlanEstimate, "jobs"> & { readonly freeBytes: number | null }) | null
}

/** What past runs say, and the room that the store has; `undefined` where nobody knows that. */
export interface Expectation {
  readonly estimate: PlanEstimate
  readonly freeBytes: number | undefined
}

type StateName = PlanDocument["jobs"][number]["state"]

const stateName = ({ selected, state }: PlannedJob): StateName => {
  if (state._tag === "Hit") return "hit"
  if (!selected) return "not-selected"
  return state._tag === "Miss" ? "will-run" : "waits"
}

/** Jobs that are waited for by name in the table; the document has all of them. */
const numNamed = 4

const shortReason = ({ reason, state }: PlanDocument["jobs"][number]): string => {
  const names = state === "waits" ? reason.split(", ") : []
  if (names.length <= numNamed) return reason
  return `${names.slice(0, numNamed).join(", ")} and ${names.length - numNamed} more`
}

const isPending = (state: StateName): boolean => state === "will-run" || state === "waits"

const reasonOf = (state: JobState): string => {
  if (state._tag === "Hit") return ""
  return state._tag === "Miss" ? state.reason.text : `waits for ${state.on.join(", ")}`
}

const totals = ({ estimate, freeBytes }: Expectation): PlanDocument["estimate"] => {
  const { storedBytes, unknown, wallSeconds } = estimate
  return { wallSeconds, storedBytes, unknown, freeBytes: freeBytes ?? null }
}

export const planDocument = (plan: Plan, expected?: Expectation): PlanDocument => {
  const jobs = plan.jobs.map((job) => ({
    name: job.name,
    stage: job.stage,
    key: job.state._tag === "Waits" ? null : job.state.key,
    state: stateName(job),
    reason: reasonOf(job.state),
    changes:
      job.state._tag === "Miss"
        ? job.state.reason.changes.map(({ file, kind, line, path, text }) => ({
            ...{ kind, path, text },
            ...(file !== undefined && { file, line })
          }))
        : [],
    estimate: expected?.estimate.jobs[job.name] ?? null
  }))
  const pending = jobs.filter(({ state }) => isPending(state)).length
  const estimate = expected === undefined ? null : totals(expected)
  return { schemaVersion: 1, pipeline: plan.pipeline.name, pending, jobs, estimate }
}

const shownState = (state: StateName, paint: Paint): string => {
  switch (state) {
    case "hit":
      return paint.green("hit")
    case "will-run":
      return paint.yellow("will run")
    case "waits":
      return paint.yellow("waits")
    case "not-selected":
      return paint.dim("not selected")
  }
}

const closing = (pending: number, total: number): string => {
  if (pending === 0) return "Nothing to do: all results are there."
  const rest = "those that wait are hits if what they wait for comes out unchanged."
  // What waits may turn out a hit: a rebuilt input that is equal to the old one stops the wave.
  return `${pending} of ${total} jobs to do; ${rest}`
}

const bytes = (count: number): string => `${metric(count)}B`

/** Lines on time and room; none where nothing is known. */
const estimateLines = (estimate: PlanDocument["estimate"], paint: Paint): ReadonlyArray<string> => {
  if (estimate === null) return []
  const { freeBytes, storedBytes, unknown, wallSeconds } = estimate
  const none = unknown.length === 1 ? "1 job has no past run" : `${unknown.length} jobs have no past run`
  const about = `About ${duration(wallSeconds)} and ${bytes(storedBytes)}, as past runs took`
  const said = unknown.length === 0 ? `${about}.` : `${about}; ${none}.`
  if (freeBytes !== null && storedBytes > freeBytes) {
    const room = `the store has room for ${bytes(freeBytes)}, and ${bytes(storedBytes)} are expected`
    return [said, `${paint.red("warning")}: ${room}: free some, or point DISTILLERY_STORE elsewhere.`]
  }
  return [said]
}

const expectedCells = (
  { estimate, state }: PlanDocument["jobs"][number],
  paint: Paint
): ReadonlyArray<string> => {
  if (!isPending(state)) return ["", ""]
  if (estimate === null) return [paint.dim("no past run"), ""]
  return [duration(estimate.seconds), bytes(estimate.storedBytes)]
}

export const planLines = (plan: Plan, paint: Paint, expected?: Expectation): ReadonlyArray<string> => {
  const document = planDocument(plan, expected)
  const isExpected = document.estimate !== null && Object.keys(expected!.estimate.jobs).length > 0
  const rows = document.jobs.map((job) => [
    paint.bold(job.name),
    job.stage,
    shownState(job.state, paint),
    ...(isExpected ? expectedCells(job, paint) : []),
    oneLine(shortReason(job))
  ])
  const expectedColumns = isExpected
    ? [
        { title: "takes", align: "right" as const },
        { title: "stores", align: "right" as const }
      ]
    : []
  const columns = [{ title: "job" }, { title: "stage" }, { title: "state" }, ...expectedColumns]
  return [
    ...table([...columns, { title: "why" }], rows, paint),
    "",
    closing(document.pending, document.jobs.length),
    ...(isExpected ? estimateLines(document.estimate, paint) : [])
  ]
}
