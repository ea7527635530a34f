/**
 * Manifests by job key, on an `ObjectStore`: `manifests/<scope>/ab/<62 digits>.json`.
 *
 * A manifest counts only while it is readable, signed by somebody trusted for this place, true to its own
 * digests, and all its blobs are there; anything else is `Broken`, a miss with a reason, and its slot is
 * taken by the next publisher. Of two publishers the first wins and the second adopts its manifest.
 */
import { Clock, Context, Effect, Layer, type Option, type Schema } from "effect"
import { BlobStore } from "../storage/BlobStore.ts"
import { type Digest, Hasher } from "../storage/Digest.ts"
import { jsonValue } from "../storage/jsonValue.ts"
import { ObjectStore, type PreconditionFailed, type StoreError } from "../storage/ObjectStore.ts"
import { type KeyId, type KeyUnavailable, Signer, Verifier } from "../storage/Signature.ts"
import type { Manifest } from "./Manifest.ts"
import { type Lookup, ManifestFinder } from "./ManifestFinder.ts"
import { recentKeys, remember } from "./RecentJobs.ts"
import { indexBytes, indexBytesMax, indexKey, indexMessage, indexText, readIndex } from "./ResultIndex.ts"
import { SeenRecord, SeenResults } from "./SeenResults.ts"
import { envelopeBytes, manifestKey, manifestMessage } from "./SignedManifest.ts"
import { findUnpublished, keptWhile, type ResultUnpublished, UnpublishedFiles } from "./Unpublished.ts"

/** `manifest` is the one that now stands under the key: ours, or that of the publisher who was first. */
export type Published =
  | { readonly _tag: "Published"; readonly manifest: Manifest }
  | { readonly _tag: "Adopted"; readonly manifest: Manifest }
  | { readonly _tag: "Replaced"; readonly manifest: Manifest; readonly previous: Lookup }

export interface PublishOptions<E = never> {
  /** Puts a forced result over a healthy one. */
  readonly replace: boolean
  /** Whether a sound result of another publisher is one for us; one that is not gives way. */
  readonly fits?: (manifest: Manifest) => boolean
  /**
   * Asked before each write, when what it replaces has been looked at: whoever is deposed in between fails
   * here, or finds something else standing there.
   */
  readonly confirm?: Effect.Effect<void, StoreError | E>
}

export type Find = (key: Digest) => Effect.Effect<Lookup, StoreError>

export class ManifestStore extends Context.Service<
  ManifestStore,
  {
    readonly find: Find
    /**
     * The same for many keys of a pipeline, answered from its index as far as that goes, and as things look
     * now: for planning.
     */
    readonly survey: (pipeline: string) => Effect.Effect<Find, StoreError>
    /** Writes the pipeline's index, if there is news, with these jobs in it. Without it plans are slower. */
    readonly keep: (pipeline: string, keys: ReadonlyArray<Digest>) => Effect.Effect<void>
    /** All blobs must be stored before. */
    readonly publish: <E = never>(
      manifest: Manifest,
      options: PublishOptions<E>
    ) => Effect.Effect<Published, StoreError | KeyUnavailable | ResultUnpublished | E>
    /** A result of this key that an earlier run on this machine made and could not publish. */
    readonly unpublished: (key: Digest) => Effect.Effect<Option.Option<Manifest>, StoreError>
    /** Lets go of that: somebody has published a result. */
    readonly forgetUnpublished: (key: Digest) => Effect.Effect<void>
    /**
     * Reads the blobs of a result and says what is wrong with it, if anything: from then on it is a miss, for
     * other processes when the index is kept.
     */
    readonly inspect: (manifest: Manifest) => Effect.Effect<string | undefined, StoreError>
    /** Earlier manifests of a job of this name, latest first: what misses are explained against. */
    readonly recent: (pipeline: string, job: string) => Effect.Effect<ReadonlyArray<Manifest>, StoreError>
  }
>()("lib/workflow/ManifestStore") {}

type Services = ObjectStore | BlobStore | Hasher | Signer | Verifier

/** What shall stand under a key, and as it is written there. */
interface Dated {
  readonly manifest: Manifest
  readonly bytes: Uint8Array
  readonly keyId: KeyId
}

/** Signed, and dated later than all that was seen there. */
const dated = Effect.fn("ManifestStore.dated")(function* (seen: SeenResults, made: Manifest) {
  const { scope, sign } = yield* Signer
  const place = { scope, key: made.jobKey }
  const now = yield* Clock.currentTimeMillis
  const publishedAtMillis = Math.max(now, seen.latestMillis(place) + 1)
  const manifest: Manifest = { ...made, provenance: { ...made.provenance, publishedAtMillis } }
  const payload = jsonValue(JSON.stringify(manifest)) as Schema.Json
  const signature = yield* sign(manifestMessage(place, payload))
  return {
    manifest,
    bytes: envelopeBytes(scope, signature, payload),
    keyId: signature.keyId
  } satisfies Dated as Dated
})

/**
 * Takes a slot that another manifest holds; a racing publisher sends us back to look at what stands there
 * now.
 */
const takeSlot = Effect.fn("ManifestStore.takeSlot")(function* <E>(
  finder: ManifestFinder,
  made: Manifest,
  { confirm = Effect.void, fits = () => true, replace }: PublishOptions<E>
) {
  const store = yield* ObjectStore
  const place = { scope: (yield* Signer).scope, key: made.jobKey }
  const { version } = yield* store.head(manifestKey(place))
  const previous = yield* finder.findIn(place)
  if (previous._tag === "Found" && !replace && fits(previous.manifest)) {
    return { _tag: "Adopted", manifest: previous.manifest } as Published
  }
  const { bytes, manifest } = yield* dated(finder.seen, made)
  yield* confirm
  yield* store.put(manifestKey(place), bytes, { _tag: "Version", version })
  return { _tag: "Replaced", manifest, previous } as Published
})

const isLostRace = (error: unknown): boolean =>
  ["PreconditionFailed", "ObjectNotFound"].includes((error as StoreError)._tag)

const isTaken = (error: unknown): error is PreconditionFailed =>
  (error as StoreError)._tag === "PreconditionFailed"

const publish = Effect.fn("ManifestStore.publish")(function* <E>(
  finder: ManifestFinder,
  made: Manifest,
  options: PublishOptions<E>
) {
  const store = yield* ObjectStore
  const { scope } = yield* Signer
  const place = { scope, key: made.jobKey }
  const { bytes, keyId, manifest } = yield* dated(finder.seen, made)
  const attempt = (options.confirm ?? Effect.void).pipe(
    Effect.andThen(store.put(manifestKey(place), bytes, { _tag: "Absent" })),
    Effect.as({ _tag: "Published", manifest } as Published),
    Effect.catchIf(isTaken, () => takeSlot(finder, made, options))
  )
  const published = yield* keptWhile(
    { bytes, jobName: made.job, place },
    Effect.retry(attempt, { times: 20, while: isLostRace })
  )
  // It is published, whether or not the store can be asked how it looks there.
  if (published._tag !== "Adopted") yield* Effect.ignore(finder.learn(scope, keyId, published.manifest))
  const { job, pipeline } = made
  // The list only serves explanations.
  yield* Effect.ignore(
    Effect.retry(remember({ scope, pipeline, job }, made.jobKey), { times: 5, while: isLostRace })
  )
  return published
})

const unpublished = Effect.fn("ManifestStore.unpublished")(function* (key: Digest) {
  const { scope } = yield* Signer
  return yield* findUnpublished({ scope, key })
})

const forgetUnpublished = Effect.fn("ManifestStore.forgetUnpublished")(function* (key: Digest) {
  const { scope } = yield* Signer
  yield* (yield* UnpublishedFiles).forget({ scope, key })
})

const survey = Effect.fn("ManifestStore.survey")(function* (finder: ManifestFinder, pipeline: string) {
  const store = yield* ObjectStore
  const verifier = yield* Verifier
  for (const scope of verifier.scopes) {
    const bytes = yield* store
      .get(indexKey(scope, pipeline), indexBytesMax)
      .pipe(Effect.catchTag(["ObjectNotFound", "ObjectTooLarge"], () => Effect.succeed(undefined)))
    const index = bytes && readIndex(bytes, { scope, pipeline }, verifier)
    if (index !== undefined) finder.recall(index)
  }
  const glance = yield* finder.glance
  return ((key) => finder.find(key, glance)) satisfies Find as Find
})

/** Room in an index for what other params, or earlier code, have made. */
const numOthers = (numJobs: number): number => 2 * numJobs + 100

const keep = Effect.fn("ManifestStore.keep")(function* (
  finder: ManifestFinder,
  pipeline: string,
  keys: ReadonlyArray<Digest>
) {
  yield* finder.seen.keep
  if (!finder.hasNews) return
  const { scope, sign } = yield* Signer
  const text = indexText(finder.summary(keys, numOthers(keys.length)))
  const signature = yield* sign(indexMessage(scope, pipeline, text))
  const bytes = indexBytes(signature, text)
  // Nobody would read it.
  if (bytes.length > indexBytesMax) return
  yield* (yield* ObjectStore).put(indexKey(scope, pipeline), bytes)
})

const recent = Effect.fn("ManifestStore.recent")(function* (
  finder: ManifestFinder,
  pipeline: string,
  job: string
) {
  const { scopes } = yield* Verifier
  const places = yield* Effect.forEach(scopes, (scope) =>
    Effect.map(recentKeys({ scope, pipeline, job }), (keys) => keys.map((key) => ({ scope, key })))
  )
  const read = yield* Effect.forEach(places.flat(), (place) => finder.read(place), { concurrency: 8 })
  return read.filter((manifest) => manifest !== undefined)
})

export const manifestStoreLayer: Layer.Layer<ManifestStore, never, Services> = Layer.effect(
  ManifestStore,
  Effect.gen(function* () {
    const context = yield* Effect.context<Services>()
    const finder = new ManifestFinder({
      blobs: yield* BlobStore,
      hasher: yield* Hasher,
      store: yield* ObjectStore,
      verifier: yield* Verifier,
      seen: new SeenResults(yield* SeenRecord)
    })
    return {
      find: (key) => finder.find(key),
      survey: (pipeline) => Effect.provideContext(survey(finder, pipeline), context),
      keep: (pipeline, keys) => Effect.ignore(Effect.provideContext(keep(finder, pipeline, keys), context)),
      publish: (manifest, options) => Effect.provideContext(publish(finder, manifest, options), context),
      unpublished: (key) => Effect.provideContext(unpublished(key), context),
      forgetUnpublished: (key) => Effect.provideContext(forgetUnpublished(key), context),
      inspect: (manifest) => finder.inspect(manifest),
      recent: (pipeline, job) => Effect.provideContext(recent(finder, pipeline, job), context)
    }
  })
)
