/** A store with results in it, and what its readers and somebody who can write into it do. */
import { Effect, Layer } from "effect"
import { keyPairFrom, newSecret } from "../../../infra/signing/ed25519.ts"
import { type SigningOptions, signingLayer } from "../../../infra/signing/signing.ts"
import { BlobStore } from "../../../lib/storage/BlobStore.ts"
import { blobKey, blobStoreLayer } from "../../../lib/storage/blobs.ts"
import type { Hasher } from "../../../lib/storage/Digest.ts"
import { ObjectStore, type StoreError } from "../../../lib/storage/ObjectStore.ts"
import { mainScope, type Scope } from "../../../lib/storage/Signature.ts"
import type { Manifest } from "../../../lib/workflow/Manifest.ts"
import { ManifestStore, manifestStoreLayer } from "../../../lib/workflow/ManifestStore.ts"
import { type Seen, SeenRecord } from "../../../lib/workflow/SeenResults.ts"
import { manifestKey } from "../../../lib/workflow/SignedManifest.ts"
import { manifestOf } from "../../support/manifests.ts"

export type Storage = ObjectStore | Hasher

export type Test = <E>(title: string, body: Effect.Effect<void, E, Storage>) => void

export const pr = "pr/7" as Scope
const secret = newSecret()
export const owner = keyPairFrom(secret)!
export const stranger = keyPairFrom(newSecret())!

export const mine: SigningOptions = {
  folder: "/dev/null",
  secret,
  scope: mainScope,
  trustScopes: [mainScope],
  trustKeys: []
}

/** What somebody's processes have seen, one after another. */
export const memory = (): (typeof SeenRecord)["Service"] => {
  const seen = new Map<string, Seen>()
  return {
    load: () => seen,
    keep: (news) =>
      Effect.sync(() => {
        for (const [place, one] of news) seen.set(place, one)
      })
  }
}

/** What a process of its own sees and does: it knows what is stored, and what was seen before. */
export const as =
  (options: Partial<SigningOptions> = {}, seen = memory()) =>
  <A, E>(effect: Effect.Effect<A, E, ManifestStore | BlobStore | Storage>) =>
    Effect.provide(
      effect,
      Layer.fresh(manifestStoreLayer).pipe(
        Layer.provide(Layer.succeed(SeenRecord, seen)),
        Layer.provideMerge(blobStoreLayer),
        Layer.provide(signingLayer({ ...mine, ...options }))
      )
    )

export const publish = (manifest: Manifest, replace = false) =>
  Effect.flatMap(ManifestStore, (store) => store.publish(manifest, { replace }))

/** What a reader makes of the job: the reason of a miss, or the value it takes. */
export const looked = (manifest: Manifest) =>
  Effect.gen(function* () {
    const store = yield* ManifestStore
    const find = yield* store.survey("toy")
    const found = yield* find(manifest.jobKey)
    if (found._tag === "Found") return JSON.stringify(found.manifest.output.value)
    return found._tag === "Broken" ? found.reason : found._tag
  })

/** As a plan leaves it: the index of the pipeline is written. */
export const planned = (manifests: ReadonlyArray<Manifest>) =>
  Effect.gen(function* () {
    const store = yield* ManifestStore
    const find = yield* store.survey("toy")
    for (const { jobKey } of manifests) yield* find(jobKey)
    yield* store.keep(
      "toy",
      manifests.map(({ jobKey }) => jobKey)
    )
  })

export interface Envelope {
  readonly schemaVersion: 1
  readonly scope: string
  readonly keyId: string
  readonly signature: string
  readonly payload: Manifest
}

/** What there is to attack. */
export interface Scene {
  /** Of the job that is attacked; it points to one blob. */
  readonly manifest: Manifest
  /** As an earlier result of that job was published, which the owner has since computed again. */
  readonly earlier: Uint8Array
  /** Of another job, published, too. */
  readonly other: Manifest
  readonly object: string
  readonly otherObject: string
  readonly blob: string
  readonly store: ObjectStore["Service"]
  readonly read: (object: string) => Effect.Effect<Envelope, StoreError>
  readonly write: (object: string, content: unknown) => Effect.Effect<void, StoreError>
  readonly writeText: (object: string, text: string) => Effect.Effect<void, StoreError>
}

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const objectOf = ({ jobKey }: Manifest): string => manifestKey({ scope: mainScope, key: jobKey })

export const makeScene = Effect.gen(function* () {
  const store = yield* ObjectStore
  const made = yield* as()(
    Effect.gen(function* () {
      const weights = yield* (yield* BlobStore).put(bytesOf("the weights"))
      const first = yield* publish(yield* manifestOf({ value: "earlier" }, { nth: 1 }))
      const earlier = yield* store.get(objectOf(first.manifest))
      const { manifest } = yield* publish(yield* manifestOf({ weights: { ...weights } }, { nth: 1 }), true)
      const { manifest: other } = yield* publish(yield* manifestOf({ value: 2 }, { nth: 2 }))
      return { manifest, earlier, other, blob: blobKey(weights.blob) }
    })
  )
  const writeText = (object: string, text: string) => Effect.asVoid(store.put(object, bytesOf(text)))
  return {
    ...made,
    object: objectOf(made.manifest),
    otherObject: objectOf(made.other),
    store,
    read: (object) => Effect.map(store.get(object), (bytes) => JSON.parse(textOf(bytes)) as Envelope),
    write: (object, content) => writeText(object, JSON.stringify(content)),
    writeText
  } satisfies Scene as Scene
})

/** The reader trusts the owner, and the stranger for pull requests only. */
export const reader: Partial<SigningOptions> = {
  trustKeys: [{ keyId: stranger.keyId, scopes: ["pr/*"], name: "" }]
}
