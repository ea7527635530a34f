/** `distillery explain` */
import { Effect } from "effect"
import { type Comparison, comparisons, counterfactuals } from "../../lib/workflow/Counterfactual.ts"
import { type Change, changesSince, describedBy, type JobDescription } from "../../lib/workflow/Explain.ts"
import { keyParams } from "../../lib/workflow/ExternalInputs.ts"
import { inputRecords, soundManifest } from "../../lib/workflow/Lineage.ts"
import type { Manifest, ManifestInputs } from "../../lib/workflow/Manifest.ts"
import { ManifestStore } from "../../lib/workflow/ManifestStore.ts"
import * as Plan from "../../lib/workflow/Plan.ts"
import { planningLayer } from "../layers.ts"
import { type Explanation, explanationDocument, explanationLines } from "../reporting/explanations.ts"
import { read } from "../settings.ts"
import { findPipeline, pipelineFileOf } from "./findPipeline.ts"
import { Output, printJson } from "./Output.ts"
import { checkNames, namesOf, withOverrides } from "./selection.ts"

export interface ExplainFlags {
  readonly pipeline: string
  readonly jobs: ReadonlyArray<string>
  readonly set: ReadonlyArray<string>
  readonly json: boolean
}

type Planned = ReadonlyMap<string, Plan.PlannedJob>

const manifestIn = (planned: Planned, name: string): Manifest => {
  const { state } = planned.get(name)!
  return (state as Extract<Plan.JobState, { readonly _tag: "Hit" }>).manifest
}

/** A change of an input goes back to a change of the job that made it, or of one before that. */
const depthMax = 20

/**
 * Why an input is another than it was: the changes of the job that made it, followed back to the first that
 * is no change of an input.
 */
const causesOf: (
  before: ManifestInputs,
  after: ManifestInputs,
  changed: ReadonlyArray<Change>,
  depth: number
) => Effect.Effect<Explanation["causes"], never, ManifestStore> = Effect.fnUntraced(
  function* (before, after, changed, depth) {
    const [old, now] = [inputRecords(before), inputRecords(after)]
    const causes: { [input: string]: { readonly job: string; readonly changes: ReadonlyArray<Change> } } = {}
    for (const { kind, path } of changed) {
      const [from, to] = [old.get(path), now.get(path)]
      if (kind !== "input" || from === undefined || to === undefined) continue
      const manifests = yield* Effect.option(
        Effect.all([soundManifest(from.jobKey), soundManifest(to.jobKey)])
      )
      if (manifests._tag === "None") continue
      const [earlier, later] = manifests.value
      if (earlier === undefined || later === undefined) continue
      const changes = changesSince(earlier, describedBy(later))
      const deeper = depth < depthMax ? yield* causesOf(earlier.inputs, later.inputs, changes, depth + 1) : {}
      const own = changes.filter((change) => change.kind !== "input")
      const [cause] = Object.values(deeper)
      if (own.length > 0) causes[path] = { job: later.job, changes: own }
      else if (cause !== undefined) causes[path] = cause
    }
    return causes
  }
)

interface Missing {
  readonly job: Plan.PlannedJob
  readonly description: JobDescription
  readonly inputs: ManifestInputs
}

/** How it differs from the nearest earlier result, and what would find one. */
const compared = Effect.fn("explain.compared")(function* (
  pipeline: string,
  { description, inputs, job }: Missing
) {
  const store = yield* ManifestStore
  const all = comparisons(description, yield* store.recent(pipeline, job.name))
  const since = job.state._tag === "Miss" ? job.state.reason.since : undefined
  const nearest = all.find(({ manifest }) => manifest.jobKey === since) ?? all[0]
  const there: Array<Comparison> = []
  for (const one of counterfactuals(all)) {
    if ((yield* soundManifest(one.manifest.jobKey)) !== undefined) there.push(one)
  }
  const causes =
    nearest === undefined ? {} : yield* causesOf(nearest.manifest.inputs, inputs, nearest.changes, 0)
  return { nearest, wouldHit: there, causes }
})

/** Of a job that waits, its params can be compared already. */
const waiting = Effect.fn("explain.waiting")(function* (pipeline: string, job: Plan.PlannedJob) {
  const recent = yield* (yield* ManifestStore).recent(pipeline, job.name)
  const { stage } = job.job.ref
  const params = keyParams(job.job.ref.params, job.externals)
  const ofParams = recent.map((manifest) => {
    const same = { ...describedBy(manifest), stage: stage.stageName, params, externals: job.externals }
    return { manifest, changes: changesSince(manifest, same) }
  })
  const [nearest] = ofParams.sort((a, b) => a.changes.length - b.changes.length)
  return { nearest, wouldHit: [], causes: {} }
})

const explained = Effect.fn("explain.explained")(function* (
  plan: Plan.Plan,
  planned: Planned,
  job: Plan.PlannedJob
) {
  const { name, stage, state } = job
  const base = { name, stage, state, nearest: undefined, wouldHit: [], causes: {} }
  if (state._tag === "Hit") return base as Explanation
  if (state._tag === "Waits") return { ...base, ...(yield* waiting(plan.pipeline.name, job)) } as Explanation
  const inputs = Plan.inputsFrom(job.job, (input) => manifestIn(planned, input))
  const description = Plan.describe({ ...job, inputs, code: state.code })
  const comparison = yield* compared(plan.pipeline.name, { job, description, inputs })
  return { ...base, ...comparison } as Explanation
})

const explanationsOf = Effect.fn("explain.explanationsOf")(function* (
  plan: Plan.Plan,
  names: ReadonlyArray<string>
) {
  const planned = new Map(plan.jobs.map((job) => [job.name, job]))
  const jobs = plan.jobs.filter(({ name }) => names.length === 0 || names.includes(name))
  return yield* Effect.forEach(jobs, (job) => explained(plan, planned, job))
})

export const explain = Effect.fn("explain")(function* (flags: ExplainFlags) {
  const { paint, print } = yield* Output
  const settings = yield* read
  const pipeline = yield* Effect.flatMap(findPipeline(flags.pipeline), (found) =>
    withOverrides(found, flags.set)
  )
  const names = namesOf(flags.jobs)
  yield* checkNames(pipeline, "JOB", names)
  const explanations = yield* Effect.flatMap(Plan.make(pipeline, {}), (plan) =>
    explanationsOf(plan, names)
  ).pipe(Effect.provide(planningLayer({ settings, pipelineFile: pipelineFileOf(flags.pipeline) })))
  yield* flags.json
    ? printJson(explanationDocument(pipeline.name, explanations))
    : print(explanationLines(explanations, paint))
})
