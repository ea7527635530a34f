/** Whether a store holds what it says: blobs their digests, manifests what they state, and their blobs. */
import { Effect, Option, Stream } from "effect"
import { blobKey } from "../storage/blobs.ts"
import { type Digest, Hasher } from "../storage/Digest.ts"
import { type ObjectInfo, ObjectStore } from "../storage/ObjectStore.ts"
import { Verifier } from "../storage/Signature.ts"
import { ifPresent } from "./jsonObjects.ts"
import { SeenRecord, SeenResults } from "./SeenResults.ts"
import { manifestBytesMax, manifestPlaceOf, openManifest } from "./SignedManifest.ts"
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

type Read =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  /** Removed since it was listed: a sweep goes on. */
  | { readonly _tag: "Gone" }
  | { readonly _tag: "Unreadable"; readonly reason: string }

/** A file that cannot be read is damaged; a server that does not answer says nothing of what it holds. */
const read = Effect.fn("Integrity.read")(function* (key: string) {
  const store = yield* ObjectStore
  return yield* store.get(key, manifestBytesMax).pipe(
    Effect.map((bytes): Read => ({ _tag: "Bytes", bytes })),
    Effect.catchTag("ObjectNotFound", () => Effect.succeed<Read>({ _tag: "Gone" })),
    Effect.catchTag("ObjectTooLarge", ({ sizeBytes }) =>
      Effect.succeed<Read>({ _tag: "Unreadable", reason: `it is too large for a manifest: ${sizeBytes}` })
    ),
    Effect.catchTag("StoreUnavailable", (error) =>
      store.isLocal
        ? Effect.succeed<Read>({ _tag: "Unreadable", reason: `it cannot be read: ${error.reason}` })
        : Effect.fail(error)
    )
  )
})

type Hashed =
  | { readonly _tag: "Hashed"; readonly digest: Digest; readonly sizeBytes: number }
  | Exclude<Read, { readonly _tag: "Bytes" }>

/** In chunks: of a blob of any size only the parts under way are held. */
const hashed = Effect.fn("Integrity.hashed")(function* (key: string) {
  const store = yield* ObjectStore
  const source = yield* store.getStream(key)
  const hash = (yield* Hasher).incremental(source.sizeBytes)
  let sizeBytes = 0
  yield* Stream.runForEach(source.chunks, (chunk) => {
    sizeBytes += chunk.length
    return hash.update(chunk)
  })
  return { _tag: "Hashed", digest: yield* hash.digest, sizeBytes } satisfies Hashed as Hashed
})

const hashedOrNot = Effect.fn("Integrity.hashedOrNot")(function* (key: string) {
  const { isLocal } = yield* ObjectStore
  return yield* hashed(key).pipe(
    // It may have been replaced while it was read.
    Effect.retry({ times: 1, while: ({ _tag }) => _tag === "StoreUnavailable" }),
    Effect.catchTag("ObjectNotFound", () => Effect.succeed<Hashed>({ _tag: "Gone" })),
    Effect.catchTag("StoreUnavailable", (error) =>
      isLocal
        ? Effect.succeed<Hashed>({ _tag: "Unreadable", reason: `it cannot be read: ${error.reason}` })
        : Effect.fail(error)
    )
  )
})

/** Reads one blob and hashes it. Bits also flip on the way here: what is wrong twice counts as damaged. */
export const blobDamage = Effect.fn("Integrity.blobDamage")(function* (
  info: ObjectInfo,
  digest: Digest,
  users: ReadonlyArray<HeldManifest>
) {
  const damage = (reason: string): ReadonlyArray<Damage> => [
    { object: info.key, kind: "blob", reason, jobs: jobsOf(users) }
  ]
  for (let numReads = 1; ; numReads++) {
    const found = yield* hashedOrNot(info.key)
    if (found._tag === "Gone") return []
    if (found._tag === "Unreadable") return damage(found.reason)
    if (found.digest === digest) return []
    if (numReads === 2) {
      return damage(`it holds other bytes than its name says (${found.sizeBytes}, ${found.digest})`)
    }
  }
})

const isOfTrust = (reason: string): boolean => /not trusted|not signed|was rolled back/.test(reason)

export const manifestDamage = Effect.fn("Integrity.manifestDamage")(function* (
  one: HeldManifest,
  present: ReadonlyMap<Digest, number>,
  seen: SeenResults
) {
  const damage = (reason: string): Damage => ({
    object: one.info.key,
    kind: "manifest",
    reason,
    jobs: jobOf(one)
  })
  const place = manifestPlaceOf(one.info.key)
  const found = yield* read(one.info.key)
  if (found._tag === "Gone" || place === undefined) return []
  if (found._tag === "Unreadable") return [damage(found.reason)]
  const services = { hasher: yield* Hasher, verifier: yield* Verifier }
  const opened = openManifest(found.bytes, place, services)
  if (opened._tag === "Refused") return [damage(opened.reason)]
  const earlier = seen.problem(place, opened.manifest)
  if (earlier !== undefined) return [damage(earlier)]
  for (const { blob, sizeBytes } of one.blobs) {
    if (present.get(blob) === sizeBytes) continue
    // It may have been stored since blobs were listed: a run goes on.
    const now = yield* ifPresent((yield* ObjectStore).head(blobKey(blob)))
    if (Option.isNone(now)) return [damage(`its blob ${blob} is missing`)]
    if (now.value.sizeBytes !== sizeBytes) return [damage(`its blob ${blob} is damaged`)]
  }
  return []
})

export const usersByBlob = (manifests: ReadonlyArray<HeldManifest>) => {
  const users = new Map<Digest, Array<HeldManifest>>()
  for (const one of manifests) {
    for (const { blob } of one.blobs) users.set(blob, [...(users.get(blob) ?? []), one])
  }
  return users
}

export interface CheckOptions {
  /** Which blobs are read; of the others only whether they are there. */
  readonly isRead: (blob: ObjectInfo) => boolean
  /** Told of each blob when it is done. */
  readonly onBlob: (done: number, total: number) => Effect.Effect<void>
}

/** Blobs read at once; each takes the memory of a few parts. */
const numBlobsAtOnce = 2

/** Reads every manifest, and the blobs that are wanted. */
export const check = Effect.fn("Integrity.check")(function* ({ isRead, onBlob }: CheckOptions) {
  const objects = yield* everyObject
  const manifests = yield* manifestsAmong(objects)
  const users = usersByBlob(manifests)
  const present = objects.flatMap((info) => {
    const digest = blobIn(info.key)
    return digest === undefined ? [] : [{ info, digest }]
  })
  const blobs = present.filter(({ info }) => isRead(info))
  let done = 0
  const ofBlobs = yield* Effect.forEach(
    blobs,
    ({ digest, info }) =>
      Effect.tap(blobDamage(info, digest, users.get(digest) ?? []), () => {
        done += 1
        return onBlob(done, blobs.length)
      }),
    { concurrency: numBlobsAtOnce }
  )
  const seen = new SeenResults(yield* SeenRecord)
  const sizes = new Map(present.map(({ digest, info }) => [digest, info.sizeBytes]))
  const ofManifests = yield* Effect.forEach(manifests, (one) => manifestDamage(one, sizes, seen), {
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
