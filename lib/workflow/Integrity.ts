/** Whether a store holds what it says: blobs their digests, manifests what they state, and their blobs. */
import { Effect } from "effect"
import { type Digest, Hasher } from "../storage/Digest.ts"
import { type ObjectInfo, ObjectStore } from "../storage/ObjectStore.ts"
import { Verifier } from "../storage/Signature.ts"
import { manifestPlaceOf, openManifest } from "./SignedManifest.ts"
import { blobIn, everyObject, type HeldManifest, manifestsAmong } from "./StoreContents.ts"

/** Something that is not what it should be. */
export interface Damage {
  /** The object that is damaged, or that names what is missing. */
  readonly object: string
  readonly kind: "blob" | "manifest"
  readonly reason: string
  /** Jobs whose results need it: `pipeline/job`. */
  readonly jobs: ReadonlyArray<string>
}

export interface Checked {
  readonly numBlobs: number
  readonly numManifests: number
  readonly sizeBytes: number
  readonly damage: ReadonlyArray<Damage>
  /** Results that are whole but do not count here, by the reason. */
  readonly untrusted: ReadonlyArray<Damage>
}

const jobOf = ({ manifest }: HeldManifest): ReadonlyArray<string> =>
  manifest === undefined ? [] : [`${manifest.pipeline}/${manifest.job}`]

const jobsOf = (manifests: ReadonlyArray<HeldManifest>): ReadonlyArray<string> => [
  ...new Set(manifests.flatMap(jobOf))
]

/** Reads one blob whole and hashes it. */
const blobDamage = Effect.fn("Integrity.blobDamage")(function* (
  info: ObjectInfo,
  digest: Digest,
  users: ReadonlyArray<HeldManifest>
) {
  const store = yield* ObjectStore
  const hasher = yield* Hasher
  const bytes = yield* Effect.option(store.get(info.key))
  // Removed since it was listed: a sweep goes on.
  if (bytes._tag === "None") return []
  const found = hasher.digest(bytes.value)
  if (found === digest) return []
  const reason = `it holds other bytes than its name says (${bytes.value.length}, ${found})`
  const damage: Damage = { object: info.key, kind: "blob", reason, jobs: jobsOf(users) }
  return [damage]
})

const isOfTrust = (reason: string): boolean => /not trusted|not signed/.test(reason)

const manifestDamage = Effect.fn("Integrity.manifestDamage")(function* (
  one: HeldManifest,
  present: ReadonlyMap<Digest, number>
) {
  const damage = (reason: string): Damage => ({
    object: one.info.key,
    kind: "manifest",
    reason,
    jobs: jobOf(one)
  })
  const place = manifestPlaceOf(one.info.key)
  const bytes = yield* Effect.option((yield* ObjectStore).get(one.info.key))
  // Removed since it was listed: a sweep goes on.
  if (bytes._tag === "None" || place === undefined) return []
  const services = { hasher: yield* Hasher, verifier: yield* Verifier }
  const opened = openManifest(bytes.value, place, services)
  if (opened._tag === "Refused") return [damage(opened.reason)]
  const lacking = one.blobs.find(({ blob, sizeBytes }) => present.get(blob) !== sizeBytes)
  if (lacking !== undefined) {
    return [damage(`its blob ${lacking.blob} is ${present.has(lacking.blob) ? "damaged" : "missing"}`)]
  }
  return []
})

const usersByBlob = (manifests: ReadonlyArray<HeldManifest>) => {
  const users = new Map<Digest, Array<HeldManifest>>()
  for (const one of manifests) {
    for (const { blob } of one.blobs) users.set(blob, [...(users.get(blob) ?? []), one])
  }
  return users
}

/** Reads everything. `onBlob` is told of each blob when it is done. */
export const check = Effect.fn("Integrity.check")(function* (
  onBlob: (done: number, total: number) => Effect.Effect<void>
) {
  const objects = yield* everyObject
  const manifests = yield* manifestsAmong(objects)
  const users = usersByBlob(manifests)
  const blobs = objects.flatMap((info) => {
    const digest = blobIn(info.key)
    return digest === undefined ? [] : [{ info, digest }]
  })
  let done = 0
  const ofBlobs = yield* Effect.forEach(
    blobs,
    ({ digest, info }) =>
      Effect.tap(blobDamage(info, digest, users.get(digest) ?? []), () => {
        done += 1
        return onBlob(done, blobs.length)
      }),
    { concurrency: 4 }
  )
  const present = new Map(blobs.map(({ digest, info }) => [digest, info.sizeBytes]))
  const ofManifests = yield* Effect.forEach(manifests, (one) => manifestDamage(one, present), {
    concurrency: 8
  })
  const found = [...ofBlobs.flat(), ...ofManifests.flat()]
  return {
    numBlobs: blobs.length,
    numManifests: manifests.length,
    sizeBytes: blobs.reduce((sum, { info }) => sum + info.sizeBytes, 0),
    damage: found.filter(({ reason }) => !isOfTrust(reason)),
    untrusted: found.filter(({ reason }) => isOfTrust(reason))
  } satisfies Checked as Checked
})

/**
 * Removes what is damaged, and the manifests that need it: their jobs are misses then, and run again. Gives
 * the objects that were removed.
 */
export const repair = Effect.fn("Integrity.repair")(function* (damage: ReadonlyArray<Damage>) {
  const store = yield* ObjectStore
  const removed: Array<string> = []
  const bad = new Set(damage.filter(({ kind }) => kind === "blob").map(({ object }) => blobIn(object)))
  const manifests = yield* manifestsAmong(yield* everyObject)
  const needing = manifests.filter(({ blobs }) => blobs.some(({ blob }) => bad.has(blob)))
  for (const object of new Set([
    ...needing.map(({ info }) => info.key),
    ...damage.map(({ object }) => object)
  ])) {
    yield* store.remove(object)
    removed.push(object)
  }
  return removed
})
