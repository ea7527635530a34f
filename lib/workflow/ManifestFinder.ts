/**
 * Finds manifests in the scopes that the reader trusts, and remembers what was verified: what an object
 * looked like then. One that still looks so is not opened again; one that does not is verified anew, a blob
 * by its content where reading it is cheap, or where it once looked otherwise.
 */
import { Effect, Option } from "effect"
import type { BlobRef, BlobStore } from "../storage/BlobStore.ts"
import { blobKey } from "../storage/blobs.ts"
import type { Digest, Hasher } from "../storage/Digest.ts"
import type { ObjectStamp, ObjectStore, StoreError } from "../storage/ObjectStore.ts"
import type { KeyId, Scope, Verifier } from "../storage/Signature.ts"
import { Glance } from "./Glance.ts"
import { blobsOf, type Manifest } from "./Manifest.ts"
import type { KnownManifest, ResultIndex } from "./ResultIndex.ts"
import { type Seen, type SeenResults, seenPlaceOf } from "./SeenResults.ts"
import { type ManifestPlace, manifestBytesMax, manifestKey, readManifest } from "./SignedManifest.ts"

export type Lookup =
  | { readonly _tag: "Found"; readonly manifest: Manifest }
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Broken"; readonly reason: string }

export interface FinderServices {
  readonly blobs: BlobStore["Service"]
  readonly hasher: Hasher["Service"]
  readonly store: ObjectStore["Service"]
  readonly verifier: Verifier["Service"]
  readonly seen: SeenResults
}

/** What objects look like, by key. */
type Stamps = ReadonlyMap<string, ObjectStamp>

const absent: Lookup = { _tag: "Absent" }
const broken = (reason: string): Lookup => ({ _tag: "Broken", reason })

/** The objects that a manifest stands for: its own first. */
const objectsOf = ({ manifest, scope }: KnownManifest): ReadonlyArray<string> => [
  manifestKey({ scope, key: manifest.jobKey }),
  ...blobsOf(manifest.output.value).map((ref) => blobKey(ref.blob))
]

export class ManifestFinder {
  private readonly manifests = new Map<Digest, KnownManifest>()
  private readonly blobs = new Map<Digest, string>()
  /** What blobs looked like when their bytes were found to be others. */
  private readonly damaged = new Map<Digest, string>()
  /** What was seen where an earlier result lies now, for readers who did not see it. */
  private readonly replaced = new Map<string, Seen>()
  private changed = false
  private readonly services: FinderServices

  constructor(services: FinderServices) {
    this.services = services
  }

  get seen(): SeenResults {
    return this.services.seen
  }

  /** Whether it knows what the indexes that it was given do not say. */
  get hasNews(): boolean {
    return this.changed
  }

  /** What is said here counts less than what is known already. */
  recall(index: ResultIndex): void {
    for (const [key, known] of index.manifests) {
      this.services.seen.see({ scope: known.scope, key }, known.manifest)
      if (!this.manifests.has(key)) this.manifests.set(key, known)
    }
    for (const [digest, stamp] of index.blobs) {
      if (!this.blobs.has(digest)) this.blobs.set(digest, stamp)
    }
    for (const [digest, stamp] of index.damaged) this.damaged.set(digest, stamp)
    for (const [at, seen] of index.replaced) {
      this.services.seen.hear(at, seen)
      this.replaced.set(at, seen)
    }
  }

  /** What is known of these jobs and, as far as there is room, of others; the others first. */
  summary(keys: ReadonlyArray<Digest>, numOthersMax: number): ResultIndex {
    const wanted = new Set(keys)
    const others = [...this.manifests.keys()].filter((key) => !wanted.has(key)).slice(-numOthersMax)
    const kept = [...others, ...wanted].flatMap((key) => {
      const known = this.manifests.get(key)
      return known === undefined ? [] : [[key, known] as const]
    })
    const blobs = kept.flatMap(([, { manifest }]) =>
      blobsOf(manifest.output.value).flatMap(({ blob }) => {
        const stamp = this.blobs.get(blob)
        return stamp === undefined ? [] : [[blob, stamp] as const]
      })
    )
    this.changed = false
    return { manifests: new Map(kept), blobs: new Map(blobs), damaged: this.damaged, replaced: this.replaced }
  }

  /** How all that is known looks now, asked in one go. */
  readonly glance: Effect.Effect<Glance, StoreError> = Effect.suspend(() => {
    const glance = new Glance(this.services.store)
    return Effect.as(glance.take([...this.manifests.values()].flatMap(objectsOf)), glance)
  })

  /** `glance` is how things looked a moment ago, where that was asked already. */
  find(key: Digest, glance?: Glance): Effect.Effect<Lookup, StoreError> {
    const known = this.manifests.get(key)
    if (known === undefined) return this.findAnew(key, glance)
    if (glance !== undefined) {
      return this.answer(known, (object) => glance.known(object)) ?? this.findAnew(key, glance)
    }
    return Effect.flatMap(
      this.stampsOf(objectsOf(known)),
      (now) => this.answer(known, (object) => now.get(object)) ?? this.findAnew(key)
    )
  }

  /** In one scope only, whatever is known. */
  readonly findIn = Effect.fnUntraced({ self: this }, function* (place: ManifestPlace, glance?: Glance) {
    const { store } = this.services
    const stamps = glance?.of ?? store.stamps
    const objectKey = manifestKey(place)
    // Asked before it is read: what is replaced meanwhile looks different the next time.
    const [stamp] = yield* stamps([objectKey])
    if (stamp !== undefined && stamp.sizeBytes > manifestBytesMax) return broken("its manifest is too large")
    const read = stamp && Option.getOrUndefined(yield* readManifest(store, place, this.services))
    if (read === undefined) return absent
    const { opened } = read
    if (opened._tag === "Refused") return broken(opened.reason)
    const { keyId, manifest } = opened
    const { seen } = this.services
    seen.see(place, manifest)
    const rolledBack = seen.problem(place, manifest)
    if (rolledBack !== undefined) {
      this.replaced.set(seenPlaceOf(place), seen.latest(place)!)
      this.changed = true
      return broken(rolledBack)
    }
    const refs = blobsOf(manifest.output.value)
    const looks = yield* stamps(refs.map((ref) => blobKey(ref.blob)))
    for (const [index, ref] of refs.entries()) {
      const problem = yield* this.blobProblem(ref, looks[index])
      if (problem !== undefined) return broken(problem)
    }
    this.replaced.delete(seenPlaceOf(place))
    this.manifests.delete(place.key)
    this.manifests.set(place.key, { scope: place.scope, keyId, stamp: stamp?.stamp, manifest })
    this.changed = true
    return { _tag: "Found", manifest } as Lookup
  })

  /** For explanations: what is known, or can be opened, whether its blobs are there or not. */
  readonly read = Effect.fnUntraced({ self: this }, function* (place: ManifestPlace) {
    const known = this.manifests.get(place.key)
    if (known !== undefined) return known.manifest
    const read = Option.getOrUndefined(yield* readManifest(this.services.store, place, this.services))
    return read?.opened._tag === "Sound" ? read.opened.manifest : undefined
  })

  /** A manifest that this process has just written, and blobs that it has just seen stored. */
  readonly learn = Effect.fnUntraced(
    { self: this },
    function* (scope: Scope, keyId: KeyId, manifest: Manifest) {
      const refs = blobsOf(manifest.output.value)
      const known: KnownManifest = { scope, keyId, stamp: undefined, manifest }
      const looks = yield* this.stampsOf(objectsOf(known))
      for (const ref of refs) {
        const look = looks.get(blobKey(ref.blob))
        // Swept since its job stored it: now that a manifest names it, it comes back and stays.
        if (look === undefined) yield* this.services.blobs.has(ref)
        this.verified(ref.blob, look)
      }
      const stamp = looks.get(manifestKey({ scope, key: manifest.jobKey }))?.stamp
      const place = { scope, key: manifest.jobKey }
      this.services.seen.see(place, manifest)
      this.replaced.delete(seenPlaceOf(place))
      this.manifests.delete(manifest.jobKey)
      this.manifests.set(manifest.jobKey, { ...known, stamp })
      this.changed = true
    }
  )

  private stampsOf(objectKeys: ReadonlyArray<string>): Effect.Effect<Stamps, StoreError> {
    return Effect.map(
      this.services.store.stamps(objectKeys),
      (stamps) =>
        new Map(
          objectKeys.flatMap((key, index) => {
            const stamp = stamps[index]
            return stamp === undefined ? [] : [[key, stamp] as const]
          })
        )
    )
  }

  /** `undefined` where it cannot be said without opening something. */
  private answer(
    known: KnownManifest,
    look: (objectKey: string) => ObjectStamp | undefined
  ): Effect.Effect<Lookup> | undefined {
    const { manifest, scope, stamp } = known
    const { seen, verifier } = this.services
    const place = { scope, key: manifest.jobKey }
    const now = look(manifestKey(place))
    if (stamp === undefined || now?.stamp !== stamp || !verifier.scopes.includes(scope)) return undefined
    // The index that knew it may have been put back, too.
    if (seen.problem(place, manifest) !== undefined) return undefined
    const isSame = ({ blob, sizeBytes }: BlobRef): boolean => {
      const { sizeBytes: found, stamp: seen } = look(blobKey(blob)) ?? {}
      return found === sizeBytes && seen !== undefined && seen === this.blobs.get(blob)
    }
    return blobsOf(manifest.output.value).every(isSame)
      ? Effect.succeed({ _tag: "Found", manifest })
      : undefined
  }

  /** In every scope, until one has it; if none has, the first reason why not. */
  private readonly findAnew = Effect.fnUntraced({ self: this }, function* (key: Digest, glance?: Glance) {
    this.changed = this.manifests.delete(key) || this.changed
    let found = absent
    for (const scope of this.services.verifier.scopes) {
      const here = yield* this.findIn({ scope, key }, glance)
      if (here._tag === "Found") return here
      if (found._tag === "Absent") found = here
    }
    return found
  })

  private readonly blobProblem = Effect.fnUntraced(
    { self: this },
    function* (ref: BlobRef, look: ObjectStamp | undefined) {
      const { blobs, store } = this.services
      const changed = `blob ${ref.blob} was changed`
      const missing = `blob ${ref.blob} is missing or damaged`
      const isThere = look === undefined ? yield* blobs.has(ref) : look.sizeBytes === ref.sizeBytes
      if (!isThere) return missing
      if (look?.stamp !== undefined && this.damaged.get(ref.blob) === look.stamp) return changed
      const before = this.blobs.get(ref.blob)
      if (look?.stamp !== undefined && before === look.stamp) return undefined
      if (store.isLocal || before !== undefined) {
        const problem = yield* blobs.get(ref).pipe(
          Effect.as(undefined),
          Effect.catchTag("BlobCorrupt", () => Effect.succeed(changed)),
          Effect.catchTag("ObjectNotFound", () => Effect.succeed(missing))
        )
        if (problem !== undefined) return problem
      }
      this.verified(ref.blob, look)
      return undefined
    }
  )

  /** Reads the blobs of a result, and says what is wrong with it; that is remembered. */
  readonly inspect = Effect.fnUntraced({ self: this }, function* (manifest: Manifest) {
    for (const ref of blobsOf(manifest.output.value)) {
      // Asked before it is read: what is repaired meanwhile looks different.
      const look = (yield* this.stampsOf([blobKey(ref.blob)])).get(blobKey(ref.blob))
      const read = yield* Effect.result(this.services.blobs.get(ref))
      if (read._tag === "Success") continue
      if (read.failure._tag === "ObjectNotFound") return `blob ${ref.blob} is missing`
      if (read.failure._tag !== "BlobCorrupt") return yield* read.failure
      this.blobs.delete(ref.blob)
      if (look?.stamp !== undefined) this.damaged.set(ref.blob, look.stamp)
      this.changed = true
      return `blob ${ref.blob} was changed`
    }
    return undefined
  })

  private verified(blob: Digest, look: ObjectStamp | undefined): void {
    this.damaged.delete(blob)
    if (look?.stamp === undefined) this.blobs.delete(blob)
    else this.blobs.set(blob, look.stamp)
    this.changed = true
  }
}
