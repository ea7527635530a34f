/**
 * Mending a store: what is damaged or missing is taken from another copy, and what cannot be had anywhere is
 * put into quarantine with the results that need it, so that their jobs run again.
 */
import { Effect, Option, Stream } from "effect"
import { blobKey } from "../storage/blobs.ts"
import { type Digest, Hasher } from "../storage/Digest.ts"
import { ObjectNotFound, ObjectStore, type StoreError } from "../storage/ObjectStore.ts"
import { Verifier } from "../storage/Signature.ts"
import { trashKey } from "../storage/trash.ts"
import { blobDamage, type Damage, manifestDamage, usersByBlob } from "./Integrity.ts"
import { SeenRecord, SeenResults } from "./SeenResults.ts"
import { manifestPlaceOf, readManifest } from "./SignedManifest.ts"
import { blobIn, everyObject, type HeldManifest, manifestsAmong, quarantinePrefix } from "./StoreContents.ts"

/** Where the same objects may lie under the same keys. */
export type Copy = Pick<ObjectStore["Service"], "get" | "getStream">

export interface Repaired {
  readonly healed: ReadonlyArray<string>
  readonly quarantined: ReadonlyArray<string>
}

const ownTrash = (store: ObjectStore["Service"]): Copy => ({
  get: (key, sizeBytesMax) => store.get(trashKey(key), sizeBytesMax),
  getStream: (key) => store.getStream(trashKey(key))
})

/** Nothing is written where the copy is damaged, too: the source fails behind its last byte. */
const copyBlob = Effect.fn("Repair.copyBlob")(function* (copy: Copy, digest: Digest) {
  const store = yield* ObjectStore
  const key = blobKey(digest)
  const { chunks, sizeBytes } = yield* copy.getStream(key)
  const hash = (yield* Hasher).incremental(sizeBytes)
  const verdict: Effect.Effect<void, StoreError> = Effect.flatMap(hash.digest, (found) =>
    found === digest ? Effect.void : Effect.fail(new ObjectNotFound({ key }))
  )
  const verified = chunks.pipe(Stream.tap(hash.update), Stream.onEnd(verdict))
  yield* store.putStream(key, { sizeBytes, chunks: verified })
})

/** Nor is an earlier result a copy of one that was seen. */
const copyManifest = Effect.fn("Repair.copyManifest")(function* (copy: Copy, key: string, seen: SeenResults) {
  const place = manifestPlaceOf(key)
  const services = { hasher: yield* Hasher, verifier: yield* Verifier }
  const found = place && Option.getOrUndefined(yield* readManifest(copy, place, services))
  if (place === undefined || found?.opened._tag !== "Sound") return yield* new ObjectNotFound({ key })
  if (seen.problem(place, found.opened.manifest) !== undefined) return yield* new ObjectNotFound({ key })
  yield* (yield* ObjectStore).put(key, found.bytes)
})

/** Whether one of the copies could give it. */
const anyOf = <R>(
  copies: ReadonlyArray<Copy>,
  from: (copy: Copy) => Effect.Effect<void, StoreError, R>
): Effect.Effect<boolean, never, R> =>
  Effect.gen(function* () {
    for (const copy of copies) {
      if ((yield* Effect.result(from(copy)))._tag === "Success") return true
    }
    return false
  })

/** Blobs that a manifest names and that are not there as they should be. */
const missingOf = ({ blobs }: HeldManifest, present: ReadonlyMap<Digest, number>): ReadonlyArray<Digest> =>
  blobs.flatMap(({ blob, sizeBytes }) => (present.get(blob) === sizeBytes ? [] : [blob]))

const presentBlobs = Effect.map(everyObject, (objects) => ({
  objects,
  present: new Map(
    objects.flatMap(({ key, sizeBytes }) => {
      const digest = blobIn(key)
      return digest === undefined ? [] : [[digest, sizeBytes] as const]
    })
  )
}))

/** Takes from the copies what can be had of what is damaged or missing; gives the objects. */
const heal = Effect.fn("Repair.heal")(function* (
  damage: ReadonlyArray<Damage>,
  copies: ReadonlyArray<Copy>,
  seen: SeenResults
) {
  const { objects, present } = yield* presentBlobs
  const named = new Set(damage.map(({ object }) => object))
  const damaged = objects.filter(({ key }) => named.has(key))
  const blobs = damaged.flatMap(({ key }) => blobIn(key) ?? [])
  const healedBlobs = yield* Effect.filter(blobs, (digest) => anyOf(copies, (copy) => copyBlob(copy, digest)))
  const places = damaged.filter(({ key }) => manifestPlaceOf(key) !== undefined)
  const suspects = yield* manifestsAmong(places)
  const torn = yield* Effect.filter(suspects, (one) =>
    Effect.map(
      manifestDamage(one, new Map(one.blobs.map(({ blob, sizeBytes }) => [blob, sizeBytes])), seen),
      (found) => found.length > 0
    )
  )
  const healedManifests = yield* Effect.filter(torn, ({ info }) =>
    anyOf(copies, (copy) => copyManifest(copy, info.key, seen))
  )
  // Now that they can be read, they say what else is missing.
  const readable = yield* manifestsAmong(places)
  const missing = new Set(readable.flatMap((one) => missingOf(one, present)))
  for (const digest of healedBlobs) missing.delete(digest)
  const found = yield* Effect.filter([...missing], (digest) =>
    anyOf(copies, (copy) => copyBlob(copy, digest))
  )
  return [...[...healedBlobs, ...found].map(blobKey), ...healedManifests.map(({ info }) => info.key)]
})

/** What is damaged still, and the manifests that need it. */
const quarantine = Effect.fn("Repair.quarantine")(function* (
  damage: ReadonlyArray<Damage>,
  seen: SeenResults
) {
  const store = yield* ObjectStore
  const { objects, present } = yield* presentBlobs
  const manifests = yield* manifestsAmong(objects)
  const users = usersByBlob(manifests)
  const named = new Set(damage.map(({ object }) => object))
  const bad = new Set<Digest>()
  for (const info of objects.filter(({ key }) => named.has(key))) {
    const digest = blobIn(info.key)
    // Looked at again: it was healed, or a run has stored it anew.
    if (digest === undefined || (yield* blobDamage(info, digest, users.get(digest) ?? [])).length === 0)
      continue
    bad.add(digest)
  }
  const sound = new Map([...present].filter(([digest]) => !bad.has(digest)))
  const suspects = manifests.filter(({ info }) => named.has(info.key))
  const broken = yield* Effect.filter(suspects, (one) =>
    Effect.map(manifestDamage(one, sound, seen), (found) => found.length > 0)
  )
  const needing = manifests.filter(({ blobs }) => blobs.some(({ blob }) => bad.has(blob)))
  const keys = new Set([...[...needing, ...broken].map(({ info }) => info.key), ...[...bad].map(blobKey)])
  const infos = objects.filter(({ key }) => keys.has(key))
  const moved = yield* store.moveAll(
    infos.map(({ key, sizeBytes }) => ({ from: key, to: `${quarantinePrefix}${key}`, sizeBytes }))
  )
  return moved.map(({ from }) => from)
})

/** The trash of the store itself is a copy, too. */
export const repair = Effect.fn("Repair.repair")(function* (
  damage: ReadonlyArray<Damage>,
  copies: ReadonlyArray<Copy>
) {
  const all = [ownTrash(yield* ObjectStore), ...copies]
  const seen = new SeenResults(yield* SeenRecord)
  const healed = yield* heal(damage, all, seen)
  return { healed, quarantined: yield* quarantine(damage, seen) } satisfies Repaired as Repaired
})
