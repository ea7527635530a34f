/**
 * Which results of a store are to be copied: those that are named, and all that they were made from. Only
 * their manifests are opened.
 */
import { Effect, Option, Schema, Stream } from "effect"
import { Digest, Hasher } from "../storage/Digest.ts"
import { ObjectStore } from "../storage/ObjectStore.ts"
import { type KeyId, Verifier } from "../storage/Signature.ts"
import { ifPresent, readJson } from "./jsonObjects.ts"
import { inputRecords } from "./Lineage.ts"
import type { Manifest } from "./Manifest.ts"
import { RunReport } from "./RunReport.ts"
import { type ManifestPlace, manifestKey, readManifest } from "./SignedManifest.ts"
import { type StoredManifest, storedManifests } from "./StoredManifests.ts"

export interface CopiedResult {
  readonly place: ManifestPlace
  /** As they lie in the store: the signature is over them. */
  readonly bytes: Uint8Array
  readonly manifest: Manifest
  readonly keyId: KeyId
}

/** Something that is not copied, or does not count here, and why. */
export interface Remark {
  readonly object: string
  readonly reason: string
}

export interface CopySelection {
  readonly results: ReadonlyArray<CopiedResult>
  /** Results that are not what they say. */
  readonly refused: ReadonlyArray<Remark>
  /** Signed by keys that are not trusted here: they are copied, and are misses here until they are. */
  readonly untrusted: ReadonlyArray<Remark>
  /** Keys that the named results, or what they were made from, are not stored under any more. */
  readonly missing: ReadonlyArray<Digest>
  /** Records of runs all of whose results are among these. */
  readonly runs: ReadonlyArray<CopiedRun>
}

export interface CopiedRun {
  /** The object that holds it. */
  readonly object: string
  readonly report: RunReport
}

type Judged =
  | { readonly _tag: "Sound"; readonly result: CopiedResult; readonly distrust: string | undefined }
  | { readonly _tag: "Refused"; readonly remark: Remark }

/** Whoever signed it: that it is trusted here says nothing of those who read the other store. */
const judge = Effect.fn("CopySelection.judge")(function* ({ key, scope }: StoredManifest) {
  const place = { scope, key }
  const object = manifestKey(place)
  const verifier = yield* Verifier
  const services = { hasher: yield* Hasher, verifier: { ...verifier, trusts: () => true } }
  const read = Option.getOrUndefined(yield* readManifest(yield* ObjectStore, place, services))
  if (read === undefined) return undefined
  const { bytes, opened } = read
  if (opened._tag === "Refused") {
    return { _tag: "Refused", remark: { object, reason: opened.reason } } as Judged
  }
  const { keyId, manifest } = opened
  const distrust = verifier.trusts(keyId, place.scope) ? undefined : verifier.howToTrust(keyId, place.scope)
  return { _tag: "Sound", result: { place, bytes, manifest, keyId }, distrust } as Judged
})

const numParallel = 16
/** Older runs are not looked through for those that belong to a part of the store. */
const numRuns = 50

const runsWithin = Effect.fn("CopySelection.runsWithin")(function* (
  keys: ReadonlySet<Digest>,
  isEverything: boolean
) {
  const listed = yield* Stream.runCollect((yield* ObjectStore).list("runs/"))
  // By id, which begins with the time, whatever the scope.
  const idOf = ({ key }: { readonly key: string }): string => key.slice(key.lastIndexOf("/"))
  const latest = [...listed].sort((a, b) => (idOf(a) < idOf(b) ? 1 : -1)).map(({ key }) => key)
  const isWithin = ({ jobs }: RunReport): boolean =>
    isEverything || (jobs.length > 0 && jobs.every(({ key }) => key !== null && keys.has(key)))
  const read = yield* Effect.forEach(
    isEverything ? latest : latest.slice(0, numRuns),
    (object) =>
      Effect.map(ifPresent(readJson(RunReport, object)), (found) =>
        Option.toArray(Option.flatten(found)).map((report): CopiedRun => ({ object, report }))
      ),
    { concurrency: numParallel }
  )
  return read.flat().filter(({ report }) => isWithin(report))
})

export interface SelectOptions {
  /** Job keys; `undefined`: everything that the store holds. */
  readonly roots: ReadonlyArray<Digest> | undefined
  /** Without what they were made from. */
  readonly alone: boolean
}

const Latest = Schema.Struct({ keys: Schema.Array(Digest) })

/** The latest key of each job of which this is true. */
export const latestOf = Effect.fn("CopySelection.latestOf")(function* (
  isMeant: (pipeline: string, job: string) => boolean
) {
  const listed = yield* Stream.runCollect((yield* ObjectStore).list("latest/"))
  const meant = listed.filter(({ key }) => {
    const [, pipeline, job] = /^latest\/.+\/([^/]+)\/([^/]+)\.json$/.exec(key) ?? []
    return pipeline !== undefined && job !== undefined && isMeant(pipeline, job)
  })
  const read = yield* Effect.forEach(meant, ({ key }) => ifPresent(readJson(Latest, key)), {
    concurrency: numParallel
  })
  return read.flatMap((one) => Option.toArray(Option.flatten(one)).flatMap(({ keys }) => keys.slice(0, 1)))
})

/** Looks at the store `ObjectStore`. */
export const select = Effect.fn("CopySelection.select")(function* ({ alone, roots }: SelectOptions) {
  const stored = yield* Stream.runCollect(storedManifests(""))
  const places = Map.groupBy(stored, ({ key }) => key)
  const seen = new Set<Digest>()
  const judged: Array<Judged> = []
  const missing: Array<Digest> = []
  let next: ReadonlyArray<Digest> = [...new Set(roots ?? places.keys())]
  while (next.length > 0) {
    for (const key of next) seen.add(key)
    missing.push(...next.filter((key) => !places.has(key)))
    const wanted = next.flatMap((key) => places.get(key) ?? [])
    const found = yield* Effect.forEach(wanted, judge, { concurrency: numParallel })
    const present = found.filter((one) => one !== undefined)
    judged.push(...present)
    const read = present.flatMap((one) =>
      one._tag === "Sound" ? [...inputRecords(one.result.manifest.inputs).values()] : []
    )
    next = alone ? [] : [...new Set(read.map(({ jobKey }) => jobKey))].filter((key) => !seen.has(key))
  }
  const sound = judged.flatMap((one) => (one._tag === "Sound" ? [one] : []))
  const keys = new Set(sound.map(({ result }) => result.place.key))
  return {
    results: sound.map(({ result }) => result),
    refused: judged.flatMap((one) => (one._tag === "Refused" ? [one.remark] : [])),
    untrusted: sound.flatMap(({ distrust, result }) =>
      distrust === undefined ? [] : [{ object: manifestKey(result.place), reason: distrust }]
    ),
    missing,
    runs: yield* runsWithin(keys, roots === undefined)
  } satisfies CopySelection as CopySelection
})
