/**
 * A person states that a change of code does not alter a job's result: the earlier output is published under
 * the new key, with who said so, when and why.
 */
import { Effect, Option, Schema } from "effect"
import { Digest } from "../storage/Digest.ts"
import { type Change, changesSince, type JobDescription } from "./Explain.ts"
import { soundManifest } from "./Lineage.ts"
import type { Manifest, ManifestInputs } from "./Manifest.ts"
import { ManifestStore } from "./ManifestStore.ts"
import type { RunRecord } from "./OpenRuns.ts"
import { describe, fitsType, inputsFrom, type JobState, type Plan, type PlannedJob } from "./Plan.ts"

export const Adoption = Schema.Struct({
  /** The key of the result that was taken over. */
  fromKey: Digest,
  by: Schema.String,
  /** ISO 8601, UTC. */
  at: Schema.String,
  reason: Schema.String,
  /** What the person said makes no difference. */
  changes: Schema.Array(Schema.String)
})
export type Adoption = typeof Adoption.Type

/** The job cannot take over an earlier result: why, and what to do instead. */
export class AdoptionRefused extends Schema.TaggedError<AdoptionRefused>()("AdoptionRefused", {
  job: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `Job "${this.job}" cannot adopt an earlier result: ${this.reason}`
  }
}

const decodeAdoption = Schema.decodeUnknownOption(Adoption)

/** How a result came to stand under its key, if not by being computed. */
export const adoptionOf = ({ provenance }: Manifest): Adoption | undefined =>
  Option.getOrUndefined(decodeAdoption(provenance.adopted))

const isOfCode = ({ kind }: Change): boolean => kind === "code" || kind === "package"

interface Adoptable {
  readonly manifest: Manifest
  readonly changes: ReadonlyArray<Change>
}

/** The latest earlier result of which nothing but code and packages differs. */
const adoptable = Effect.fn("Adoption.adoptable")(function* (
  pipeline: string,
  job: string,
  description: JobDescription
) {
  const refused = (reason: string) => new AdoptionRefused({ job, reason })
  const recent = yield* (yield* ManifestStore).recent(pipeline, job)
  const compared = recent.map((manifest) => ({ manifest, changes: changesSince(manifest, description) }))
  for (const one of compared) {
    if (!one.changes.every(isOfCode)) continue
    if ((yield* soundManifest(one.manifest.jobKey)) !== undefined) return one as Adoptable
  }
  const [nearest] = compared.sort((a, b) => a.changes.length - b.changes.length)
  if (nearest === undefined) return yield* refused("it never ran, so run it")
  const others = nearest.changes.filter((change) => !isOfCode(change)).map(({ text }) => text)
  return yield* refused(
    others.length === 0
      ? "the earlier results of the same params and inputs are gone from the store, so run it"
      : `more than code differs (${others.join(", ")}), so run it`
  )
})

export interface AdoptionStatement {
  readonly by: string
  readonly at: string
  readonly reason: string
}

const settledInputs = (planned: ReadonlyArray<PlannedJob>, { job }: PlannedJob): ManifestInputs =>
  inputsFrom(job, (name) => {
    const { state } = planned.find((one) => one.name === name)!
    return (state as Extract<JobState, { readonly _tag: "Hit" }>).manifest
  })

/**
 * Publishes the earlier output under the job's key of today. Fails with `AdoptionRefused` where the job is a
 * hit, waits for others, or differs in its params or inputs. The earlier result is not swept meanwhile.
 */
export const adopt = Effect.fn("Adoption.adopt")(function* (
  { jobs, pipeline }: Plan,
  name: string,
  statement: AdoptionStatement,
  { reads }: RunRecord
) {
  const job = jobs.find((one) => one.name === name)!
  const refused = (reason: string) => new AdoptionRefused({ job: name, reason })
  const { state } = job
  if (state._tag === "Hit") return yield* refused("it is a hit already")
  if (state._tag === "Waits") {
    return yield* refused(`it waits for ${state.on.join(", ")}: adopt those first, or run them`)
  }
  const inputs = settledInputs(jobs, job)
  const description = describe({ ...job, inputs, code: state.code })
  const { changes, manifest: earlier } = yield* adoptable(pipeline.name, name, description)
  yield* reads([earlier.jobKey])
  if ((yield* soundManifest(earlier.jobKey)) === undefined) {
    return yield* refused("its earlier result has just been swept, so run it, or put it back: gc --restore")
  }
  const fits = fitsType(job.job)
  if (!fits(earlier)) {
    return yield* refused(`its earlier result does not fit the type "${job.job.ref.type.name}", so run it`)
  }
  const adoption: Adoption = {
    ...statement,
    fromKey: earlier.jobKey,
    changes: changes.map(({ text }) => text)
  }
  const manifest: Manifest = {
    ...earlier,
    jobKey: state.key,
    pipeline: pipeline.name,
    job: name,
    // Equal in what enters the key; where a folder of the user's lies may be new.
    params: job.job.ref.params,
    ...(Object.keys(job.externals).length > 0 && { externals: job.externals }),
    inputs,
    code: state.code.identity,
    provenance: { ...earlier.provenance, adopted: adoption as unknown as Schema.Json }
  }
  yield* (yield* ManifestStore).publish(manifest, { replace: false, fits })
  return { key: state.key, adoption }
})
