/**
 * Manifests by job key, on an `ObjectStore`: `manifests/ab/<62 digits>.json`.
 *
 * A manifest counts only while it is readable, true to its own digests, and all its blobs are there; anything
 * else is `Broken`, a miss with a reason, and its slot is taken by the next publisher. Of two publishers the
 * first wins and the second adopts its manifest.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { BlobStore } from "../storage/BlobStore.ts"
import { Digest, Hasher, hexOf } from "../storage/Digest.ts"
import { ObjectStore, type StoreError } from "../storage/ObjectStore.ts"
import { artifactDigest } from "./Fingerprint.ts"
import { ifPresent, readJson, writeJson } from "./jsonObjects.ts"
import { blobsOf, Manifest } from "./Manifest.ts"

export type Lookup =
  | { readonly _tag: "Found"; readonly manifest: Manifest }
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Broken"; readonly reason: string }

/** `manifest` is the one that now stands under the key: ours, or that of the publisher who was first. */
export type Published =
  | { readonly _tag: "Published"; readonly manifest: Manifest }
  | { readonly _tag: "Adopted"; readonly manifest: Manifest }
  | { readonly _tag: "Replaced"; readonly manifest: Manifest; readonly previous: Lookup }

export class ManifestStore extends Context.Service<
  ManifestStore,
  {
    readonly find: (key: Digest) => Effect.Effect<Lookup, StoreError>
    /** `replace` puts a forced result over a healthy one. All blobs must be stored before. */
    readonly publish: (
      manifest: Manifest,
      options: { readonly replace: boolean }
    ) => Effect.Effect<Published, StoreError>
    /** Earlier manifests of a job of this name, latest first: what misses are explained against. */
    readonly recent: (pipeline: string, job: string) => Effect.Effect<ReadonlyArray<Manifest>, StoreError>
  }
>()("lib/workflow/ManifestStore") {}

export const manifestKey = (key: Digest): string => {
  const hex = hexOf(key)
  return `manifests/${hex.slice(0, 2)}/${hex.slice(2)}.json`
}

const recentKey = (pipeline: string, job: string): string => `latest/${pipeline}/${job}.json`
const RecentKeys = Schema.Struct({ schemaVersion: Schema.Literal(1), keys: Schema.Array(Digest) })
const numRecent = 20

const broken = (reason: string): Lookup => ({ _tag: "Broken", reason })

/** Reads and checks; blob contents are checked when they are read, here only their presence and size. */
const find = Effect.fn("ManifestStore.find")(function* (key: Digest) {
  const read = yield* ifPresent(readJson(Manifest, manifestKey(key)))
  if (Option.isNone(read)) return { _tag: "Absent" } as Lookup
  if (Option.isNone(read.value)) return broken("its manifest is unreadable")
  const manifest = read.value.value
  const { type, value, digest } = manifest.output
  if (manifest.jobKey !== key) return broken("its manifest belongs to another job")
  if (artifactDigest(yield* Hasher, type, value) !== digest) {
    return broken("its manifest was changed: the output does not have the digest it states")
  }
  const blobs = yield* BlobStore
  const present = yield* Effect.forEach(
    blobsOf(value),
    (ref) => Effect.map(blobs.has(ref), (has) => ({ ref, has })),
    { concurrency: 8 }
  )
  const missing = present.find(({ has }) => !has)
  if (missing !== undefined) return broken(`blob ${missing.ref.blob} is missing or damaged`)
  return { _tag: "Found", manifest } as Lookup
})

/**
 * Takes a slot that another manifest holds; a racing publisher sends us back to look at what stands there
 * now.
 */
const takeSlot = Effect.fn("ManifestStore.takeSlot")(function* (manifest: Manifest, replace: boolean) {
  const store = yield* ObjectStore
  const path = manifestKey(manifest.jobKey)
  const version = (yield* store.head(path)).version
  const previous = yield* find(manifest.jobKey)
  if (previous._tag === "Found" && !replace) {
    return { _tag: "Adopted", manifest: previous.manifest } as Published
  }
  yield* writeJson(Manifest, path, manifest, { _tag: "Version", version })
  return { _tag: "Replaced", manifest, previous } as Published
})

const isLostRace = (error: StoreError): boolean =>
  error._tag === "PreconditionFailed" || error._tag === "ObjectNotFound"

const publish = (manifest: Manifest, replace: boolean) => {
  const attempt = writeJson(Manifest, manifestKey(manifest.jobKey), manifest, { _tag: "Absent" }).pipe(
    Effect.as({ _tag: "Published", manifest } as Published),
    Effect.catchTag("PreconditionFailed", () => takeSlot(manifest, replace))
  )
  return Effect.retry(attempt, { times: 20, while: isLostRace })
}

/** Puts the key in front of the job's recent ones. */
const remember = Effect.fn("ManifestStore.remember")(function* (manifest: Manifest) {
  const store = yield* ObjectStore
  const path = recentKey(manifest.pipeline, manifest.job)
  const head = yield* ifPresent(store.head(path))
  const read = Option.flatten(yield* ifPresent(readJson(RecentKeys, path)))
  const others = Option.match(read, {
    onNone: () => [],
    onSome: ({ keys }) => keys.filter((key) => key !== manifest.jobKey)
  })
  yield* writeJson(
    RecentKeys,
    path,
    { schemaVersion: 1, keys: [manifest.jobKey, ...others].slice(0, numRecent) },
    Option.match(head, {
      onNone: () => ({ _tag: "Absent" as const }),
      onSome: ({ version }) => ({ _tag: "Version" as const, version })
    })
  )
})

const recent = Effect.fn("ManifestStore.recent")(function* (pipeline: string, job: string) {
  const read = Option.flatten(yield* ifPresent(readJson(RecentKeys, recentKey(pipeline, job))))
  if (Option.isNone(read)) return []
  const manifests = yield* Effect.forEach(
    read.value.keys,
    (key) => Effect.map(ifPresent(readJson(Manifest, manifestKey(key))), Option.flatten),
    { concurrency: 8 }
  )
  return manifests.flatMap((manifest) => (Option.isSome(manifest) ? [manifest.value] : []))
})

export const manifestStoreLayer: Layer.Layer<ManifestStore, never, ObjectStore | BlobStore | Hasher> =
  Layer.effect(
    ManifestStore,
    Effect.gen(function* () {
      const context = yield* Effect.context<ObjectStore | BlobStore | Hasher>()
      return {
        find: (key) => Effect.provideContext(find(key), context),
        publish: (manifest, { replace }) =>
          publish(manifest, replace).pipe(
            // The list only serves explanations: a result is not lost because the list could not be written.
            Effect.tap(() =>
              Effect.ignore(Effect.retry(remember(manifest), { times: 5, while: isLostRace }))
            ),
            Effect.provideContext(context)
          ),
        recent: (pipeline, job) => Effect.provideContext(recent(pipeline, job), context)
      }
    })
  )
