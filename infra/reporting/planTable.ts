/** What a run would do, as a table or as a document. */
import type { JobState, Plan, PlannedJob } from "../../lib/workflow/Plan.ts"
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
  }>
}

type StateName = PlanDocument["jobs"][number]["state"]

const stateName = ({ selected, state }: PlannedJob): StateName => {
  if (state._tag === "Hit") return "hit"
  if (!selected) return "not-selected"
  return state._tag === "Miss" ? "will-run" : "waits"
}

const reasonOf = (state: JobState): string => {
  if (state._tag === "Hit") return ""
  return state._tag === "Miss" ? state.reason.text : `waits for ${state.on.join(", ")}`
}

export const planDocument = (plan: Plan): PlanDocument => {
  const jobs = plan.jobs.map((job) => ({
    name: job.name,
    stage: job.stage,
    key: job.state._tag === "Waits" ? null : job.state.key,
    state: stateName(job),
    reason: reasonOf(job.state),
    changes:
      job.state._tag === "Miss"
        ? job.state.reason.changes.map(({ kind, path, text }) => ({ kind, path, text }))
        : []
  }))
  const pending = jobs.filter(({ state }) => state === "will-run" || state === "waits").length
  return { schemaVersion: 1, pipeline: plan.pipeline.name, pending, jobs }
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

export const planLines = (plan: Plan, paint: Paint): ReadonlyArray<string> => {
  const document = planDocument(plan)
  const rows = document.jobs.map(({ name, reason, stage, state }) => [
    paint.bold(name),
    stage,
    shownState(state, paint),
    oneLine(reason)
  ])
  return [
    ...table([{ title: "job" }, { title: "stage" }, { title: "state" }, { title: "why" }], rows, paint),
    "",
    closing(document.pending, document.jobs.length)
  ]
}
