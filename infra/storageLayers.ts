/** From settings to stores: which there is, and what stands before it. */
import { join } from "node:path"
import { Context, Effect, Layer, type Scope } from "effect"
import type { BlobStore } from "../lib/storage/BlobStore.ts"
import { blobStoreLayer } from "../lib/storage/blobs.ts"
import type { Hasher } from "../lib/storage/Digest.ts"
import type { OwnerLiveness } from "../lib/storage/Lease.ts"
import { ObjectStore, type StoreError } from "../lib/storage/ObjectStore.ts"
import type { Signer, Verifier } from "../lib/storage/Signature.ts"
import { type ManifestStore, manifestStoreLayer } from "../lib/workflow/ManifestStore.ts"
import { hasherLayer } from "./hashing.ts"
import { ownerLivenessLayer } from "./ownerLiveness.ts"
import type { SettingsValue } from "./settings.ts"
import { signingLayer } from "./signing/signing.ts"
import { cachedBlobStoreLayer } from "./stores/cachedBlobStore.ts"
import { fileObjectStoreLayer } from "./stores/FileObjectStore.ts"
import { meteredObjectStoreLayer } from "./stores/meteredObjectStore.ts"
import { seenFileLayer } from "./stores/seenFile.ts"
import type { Patience } from "./stores/storeAbsence.ts"
import { type StorePlace, s3Url } from "./stores/storePlace.ts"
import type { TrafficMeter } from "./stores/TrafficMeter.ts"
import { unpublishedFilesLayer } from "./stores/unpublishedFiles.ts"

export type Storage = BlobStore | Hasher | ManifestStore | ObjectStore | Signer | Verifier

/** Who asks for the store: a command, that fails at once where it cannot be used, or one of its jobs. */
type Asking = "command" | "job"

/** What is told of a store that is away and waited for; absent: it is waited for but shortly. */
type TellAbsence = ((line: string) => void) | undefined

interface OpeningOptions {
  readonly asking?: Asking
  /** Where there is no store yet, none is made. */
  readonly mustExist?: boolean
  readonly patience?: Patience | undefined
}

/** The SDK is loaded only for a store on S3. */
const objectStoreLayer = (
  place: StorePlace,
  { asking = "command", mustExist = false, patience }: OpeningOptions = {}
): Layer.Layer<ObjectStore, StoreError> =>
  place.kind === "folder"
    ? fileObjectStoreLayer(place.folder)
    : Layer.unwrap(
        Effect.promise(async () => {
          const { s3ObjectStoreLayer } = await import("./stores/S3ObjectStore.ts")
          return s3ObjectStoreLayer({ place, checked: asking === "command", mustExist, patience })
        })
      )

/** Another store than that of the settings, which is there, as long as the scope lasts. */
export const openStore = (
  place: StorePlace
): Effect.Effect<ObjectStore["Service"], StoreError, Scope.Scope> =>
  Effect.map(Layer.build(objectStoreLayer(place, { mustExist: true })), (context) =>
    Context.get(context, ObjectStore)
  )

/** A store in a folder is on this machine itself. */
const unpublishedLayer = ({ projectDir, store }: SettingsValue): Layer.Layer<never> =>
  store.kind === "folder"
    ? Layer.empty
    : unpublishedFilesLayer(join(projectDir, ".distillery", "unpublished"), s3Url(store))

/** What of a store was seen from this project. */
export const seenLayer = ({ projectDir }: SettingsValue, store: SettingsValue["store"]): Layer.Layer<never> =>
  seenFileLayer(
    join(projectDir, ".distillery", "seen"),
    store.kind === "folder" ? store.folder : s3Url(store)
  )

export interface StorageOptions {
  readonly asking?: Asking
  readonly tellAbsence?: TellAbsence
  /** Counts what is moved to and from the store. */
  readonly meter?: TrafficMeter | undefined
  /** Told why blobs are not kept on this machine, where they should be. */
  readonly note?: (line: string) => void
}

/** The store, with this machine's copies of blobs in front of it. */
export const storageLayer = (
  settings: SettingsValue,
  { asking = "command", meter, note = () => undefined, tellAbsence }: StorageOptions = {}
): Layer.Layer<Storage, StoreError> => {
  const { blobCache, store, storePatienceSeconds } = settings
  const patience = tellAbsence && { millis: storePatienceSeconds * 1000, tell: tellAbsence }
  const objects = objectStoreLayer(store, { asking, patience })
  const onProblem = (reason: string) => note(`blobs are not kept on this machine: ${reason}`)
  const blobs =
    blobCache === undefined
      ? blobStoreLayer
      : Layer.provide(cachedBlobStoreLayer({ ...blobCache, onProblem, meter }), blobStoreLayer)
  return manifestStoreLayer.pipe(
    // What it says of a blob counts for other machines, too: it looks at the store's, not at a copy.
    Layer.provide(Layer.mergeAll(unpublishedLayer(settings), blobStoreLayer)),
    Layer.provideMerge(seenLayer(settings, store)),
    Layer.provideMerge(blobs),
    Layer.provideMerge(
      meter === undefined ? objects : Layer.provide(meteredObjectStoreLayer(meter), objects)
    ),
    Layer.provideMerge(signingLayer(settings.signing)),
    Layer.provideMerge(hasherLayer)
  )
}

/** One side of a copy: a store by its address, with nothing in front of it. */
export const sideLayer = (
  place: StorePlace,
  options: OpeningOptions
): Layer.Layer<BlobStore | ObjectStore, StoreError> =>
  blobStoreLayer.pipe(Layer.provideMerge(objectStoreLayer(place, options)), Layer.provide(hasherLayer))

/** Whom the user trusts, and what tells whether somebody is at work. */
export const copyingLayer = ({
  signing
}: SettingsValue): Layer.Layer<Hasher | OwnerLiveness | Signer | Verifier> =>
  Layer.mergeAll(signingLayer(signing), hasherLayer, ownerLivenessLayer)

/** For what looks after the store, runs that go on there included. */
export const keepingLayer = (settings: SettingsValue): Layer.Layer<Storage | OwnerLiveness, StoreError> =>
  Layer.merge(storageLayer(settings), ownerLivenessLayer)
