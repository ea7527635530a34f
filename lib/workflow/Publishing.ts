/** From a job's output to its manifest in the store. */
import { Effect, Option, Schema } from "effect"
import { BlobStore } from "../storage/BlobStore.ts"
import { type Digest, Hasher } from "../storage/Digest.ts"
import type { StoreError } from "../storage/ObjectStore.ts"
import { artifactDigest, type NotCanonical } from "./Fingerprint.ts"
import { hit, type JobOutcome, noted } from "./JobOutcome.ts"
import { blobsOf, type Manifest } from "./Manifest.ts"
import { ManifestStore, type Published } from "./ManifestStore.ts"
import { fitsType, type PlannedJob } from "./Plan.ts"
import { Reporter } from "./Reporter.ts"
import { manifestBytesMax } from "./SignedManifest.ts"

/** The artifact is one that cannot be kept: it points to bytes that nobody stored, or has no stable form. */
export class OutputUnusable extends Schema.TaggedError<OutputUnusable>()("OutputUnusable", {
  jobName: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The output of job "${this.jobName}" cannot be kept: ${this.reason}`
  }
}

const unusable = (planned: PlannedJob, reason: string) =>
  new OutputUnusable({ jobName: planned.name, reason })

export const outputDigest = Effect.fn("Publishing.outputDigest")(function* (
  planned: PlannedJob,
  value: Schema.Json
) {
  const hasher = yield* Hasher
  return yield* Effect.try({
    try: () => artifactDigest(hasher, planned.job.ref.type.name, value),
    catch: (error) => unusable(planned, (error as NotCanonical).message)
  })
})

const blobsStored = Effect.fn("Publishing.blobsStored")(function* (planned: PlannedJob, value: Schema.Json) {
  const blobs = yield* BlobStore
  for (const ref of blobsOf(value)) {
    if (!(yield* blobs.has(ref)))
      return yield* unusable(planned, `it points to blob ${ref.blob}, which was not stored`)
  }
})

/** Half of what is read of a manifest, in which it stands indented. */
const madeBytesMax = manifestBytesMax / 2

const sizeChecked = (planned: PlannedJob, made: Manifest) => {
  const sizeBytes = JSON.stringify(made, null, 1).length
  return sizeBytes <= madeBytesMax
    ? Effect.void
    : unusable(
        planned,
        `its record has ${sizeBytes} characters, and one of more than ${madeBytesMax} is not read. ` +
          "Let the stage store what is large as a blob and point to it"
      )
}

const publishedNote = (published: Published): string | undefined => {
  if (published._tag === "Published") return undefined
  if (published._tag === "Adopted") return "another run published this job first: its result is used"
  const { manifest, previous } = published
  if (previous._tag !== "Found") return "a broken result was replaced"
  const [before, after] = [previous.manifest.output.digest, manifest.output.digest]
  return before === after
    ? "computed again, with the same result"
    : `computed again, with another result: ${before} → ${after}`
}

/** Publishes what a job has made, while `confirm` says that its lease is ours. */
export const publishMade = Effect.fn("Publishing.publishMade")(function* (
  planned: PlannedJob,
  made: Manifest,
  confirm: Effect.Effect<void, StoreError>
) {
  yield* sizeChecked(planned, made)
  const context = yield* Effect.context<BlobStore>()
  const stored = yield* Effect.cached(Effect.provideContext(blobsStored(planned, made.output.value), context))
  const published = yield* (yield* ManifestStore).publish(made, {
    replace: planned.forced,
    fits: fitsType(planned.job),
    confirm: Effect.andThen(stored, confirm)
  })
  return { manifest: published.manifest, note: publishedNote(published) }
})

/** What an earlier run made and could not publish is published. */
export const publishKept = Effect.fn("Publishing.publishKept")(function* (
  planned: PlannedJob,
  key: Digest,
  confirm: Effect.Effect<void, StoreError>
) {
  const manifests = yield* ManifestStore
  const fits = fitsType(planned.job)
  const kept = Option.filter(yield* manifests.unpublished(key), fits)
  if (Option.isNone(kept)) return Option.none<JobOutcome>()
  const { manifest } = yield* manifests.publish(kept.value, { replace: false, fits, confirm })
  const note = "made by an earlier run that the store was away for, and published now"
  yield* (yield* Reporter).emit({ _tag: "JobNote", job: planned.name, line: note })
  return Option.some(noted(yield* hit(planned, key, manifest), [note]))
})

/** A hit on what another run has published. What this one may have made of it, deposed, is let go. */
export const publishedElsewhere = Effect.fnUntraced(function* (
  planned: PlannedJob,
  key: Digest,
  manifest: Manifest
) {
  yield* (yield* ManifestStore).forgetUnpublished(key)
  return yield* hit(planned, key, manifest)
})
