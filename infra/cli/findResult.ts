/** From what the user typed to a result: `pipeline/job`, a job alone, or the beginning of a digest. */
import { Effect, Stream } from "effect"
import type { Digest } from "../../lib/storage/Digest.ts"
import { soundManifest } from "../../lib/workflow/Lineage.ts"
import { blobsOf, type Manifest } from "../../lib/workflow/Manifest.ts"
import { ManifestStore } from "../../lib/workflow/ManifestStore.ts"
import { storedManifests } from "../../lib/workflow/StoredManifests.ts"
import { nearest } from "../../lib/workflow/suggestions.ts"
import { UsageError } from "./errors.ts"
import { recordedName } from "./findPipeline.ts"
import { type FinishedJob, finishedJobs, nameOf, splitName } from "./finishedJobs.ts"

const numShown = 5

const nothingYet = new UsageError({
  what: "the store holds no results yet",
  fix: "Make some: npx distillery run quickstart"
})

const unknown = (text: string, known: ReadonlyArray<FinishedJob>): UsageError => {
  if (known.length === 0) return nothingYet
  const names = known.map(nameOf)
  const near = nearest(text, text.includes("/") ? names : known.map(({ job }) => job))
  return new UsageError({
    what: `there is no result "${text}"${near === undefined ? "" : `: did you mean "${near}"?`}`,
    fix: `There are ${names.slice(0, 2 * numShown).join(", ")}${names.length > 2 * numShown ? ", …" : ""}`
  })
}

const gone = (name: string): UsageError =>
  new UsageError({
    what: `the result "${name}" is no longer in the store, or is damaged`,
    fix: "npx distillery verify says more; running its pipeline makes it again"
  })

const severalKeys = (text: string, keys: ReadonlyArray<Digest>): UsageError =>
  new UsageError({
    what: `"${text}" may be any of ${keys.length} results: ${keys.slice(0, numShown).join(", ")}`,
    fix: "Write more of the digest"
  })

/** The hexadecimal digits of a digest, or of its beginning. */
const hexIn = (text: string): string | undefined => {
  const hex = text.replace(/^sha256:/, "").toLowerCase()
  return /^[0-9a-f]{4,64}$/.test(hex) ? hex : undefined
}

const startsWith = (digest: string, hex: string): boolean => digest.startsWith(`sha256:${hex}`)

/** A job key stands in each scope that has it. */
const storedKeys = (hex: string) =>
  Effect.map(Stream.runCollect(storedManifests(hex)), (stored) => [...new Set(stored.map(({ key }) => key))])

/** Results whose content, or one of whose blobs, has a digest that begins so: all manifests are read. */
const byContent = Effect.fn("findResult.byContent")(function* (hex: string) {
  const manifests = yield* Effect.forEach(yield* storedKeys(""), soundManifest, { concurrency: 8 })
  return manifests.flatMap((manifest) => {
    if (manifest === undefined) return []
    const { digest, value } = manifest.output
    const matches = startsWith(digest, hex) || blobsOf(value).some(({ blob }) => startsWith(blob, hex))
    return matches ? [manifest] : []
  })
})

/** The latest of several that hold the same content. */
const latestOf = (manifests: ReadonlyArray<Manifest>): Manifest | undefined =>
  [...manifests].sort((a, b) => (String(a.provenance.createdAt) < String(b.provenance.createdAt) ? 1 : -1))[0]

const byDigest = Effect.fn("findResult.byDigest")(function* (text: string, hex: string) {
  const keys = yield* storedKeys(hex)
  const [key] = keys
  if (key === undefined) return latestOf(yield* byContent(hex))
  if (keys.length > 1) return yield* severalKeys(text, keys)
  return (yield* soundManifest(key)) ?? (yield* gone(text))
})

/** A job that was published by a run that left no record: it was killed. */
const published = Effect.fn("findResult.published")(function* (text: string) {
  const { job, pipeline } = splitName(text)
  if (pipeline === undefined) return undefined
  return (yield* (yield* ManifestStore).recent(pipeline, job))[0]
})

/** Fails with `UsageError` where there is no such result, or several may be meant. */
export const findResult = Effect.fn("findResult")(function* (given: string) {
  const text = yield* recordedName(given)
  const { job, pipeline } = splitName(text)
  const known = yield* finishedJobs
  const matching = known.filter(
    (one) => one.job === job && (pipeline === undefined || one.pipeline === pipeline)
  )
  if (matching.length > 1) {
    return yield* new UsageError({
      what: `"${text}" may be ${matching.map(nameOf).join(" or ")}: name one of them`
    })
  }
  const [finished] = matching
  if (finished !== undefined) {
    return (yield* soundManifest(finished.key)) ?? (yield* gone(nameOf(finished)))
  }
  const hex = hexIn(text)
  const found = yield* hex === undefined ? published(text) : byDigest(text, hex)
  return found ?? (yield* unknown(text, known))
})
