/** What may be done to a result in a store, each with the miss that follows. */
import { Effect } from "effect"
import { digestOf } from "../../../infra/hashing.ts"
import type { StoreError } from "../../../lib/storage/ObjectStore.ts"
import { type KeyId, mainScope } from "../../../lib/storage/Signature.ts"
import type { Manifest } from "../../../lib/workflow/Manifest.ts"
import { indexKey } from "../../../lib/workflow/ResultIndex.ts"
import { envelopeBytes, manifestMessage } from "../../../lib/workflow/SignedManifest.ts"
import { bytesOf, type Envelope, owner, pr, type Scene, stranger, textOf } from "./scene.ts"

const evil = (manifest: Manifest): Manifest => ({
  ...manifest,
  output: { ...manifest.output, digest: digestOf("evil"), value: { value: "evil" } }
})

/** Signed as one should, by a key of the attacker's own. */
export const forged = (scene: Scene, keyId: KeyId = stranger.keyId): Uint8Array => {
  const payload = JSON.parse(JSON.stringify(evil(scene.manifest)))
  const place = { scope: mainScope, key: scene.manifest.jobKey }
  const { signature } = stranger.sign(manifestMessage(place, payload))
  return envelopeBytes(mainScope, { keyId, signature }, payload)
}

const changedAfter = /^its manifest was changed after it was signed$/
const unreadable = /^its manifest is unreadable$/

export type Attack = readonly [
  what: string,
  attack: (scene: Scene) => Effect.Effect<unknown, StoreError>,
  reason: RegExp
]

const altered =
  (change: (envelope: Envelope, scene: Scene) => unknown) =>
  (scene: Scene): Effect.Effect<void, StoreError> =>
    Effect.flatMap(scene.read(scene.object), (found) => scene.write(scene.object, change(found, scene)))

const inText =
  (change: (text: string) => string) =>
  (scene: Scene): Effect.Effect<void, StoreError> =>
    Effect.flatMap(scene.store.get(scene.object), (bytes) =>
      scene.writeText(scene.object, change(textOf(bytes)))
    )

const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`

const signatures: ReadonlyArray<Attack> = [
  ["unsigned", altered(({ payload }) => payload), /^its manifest is not signed$/],
  ["no signature to speak of", altered((found) => ({ ...found, signature: "" })), changedAfter],
  [
    "forged, by a key that nobody trusts",
    (scene) => scene.store.put(scene.object, forged(scene)),
    /a key that is not trusted; to trust it: npx distillery key trust ed25519:[\w-]{43} --scope main$/
  ],
  [
    "forged, in the name of a trusted key",
    (scene) => scene.store.put(scene.object, forged(scene, owner.keyId)),
    changedAfter
  ],
  [
    "forged, by a point of small order, for which anything is signed",
    (scene) =>
      Effect.flatMap(scene.read(scene.object), (found) =>
        scene.write(scene.object, {
          ...found,
          keyId: `ed25519:AQ${"A".repeat(41)}`,
          signature: Buffer.from([1, ...Array.from({ length: 63 }, () => 0)]).toString("base64url"),
          payload: evil(found.payload)
        })
      ),
    /a key that is not trusted/
  ],
  [
    "the key in another spelling",
    altered((found) => {
      const last = found.keyId.at(-1)!
      const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
      const twin = alphabet[alphabet.indexOf(last) ^ 1]!
      return { ...found, keyId: found.keyId.slice(0, -1) + twin }
    }),
    /a key that is not trusted/
  ],
  [
    "the signature of another result",
    (scene) =>
      Effect.gen(function* () {
        const { signature } = yield* scene.read(scene.otherObject)
        yield* scene.write(scene.object, { ...(yield* scene.read(scene.object)), signature })
      }),
    changedAfter
  ],
  [
    "the signature of an index",
    (scene) =>
      Effect.gen(function* () {
        const index = textOf(yield* scene.store.get(indexKey(mainScope, "toy")))
        const { signature } = JSON.parse(index.split("\n")[0]!)
        yield* scene.write(scene.object, { ...(yield* scene.read(scene.object)), signature })
      }),
    changedAfter
  ]
]

const contents: ReadonlyArray<Attack> = [
  ["another result", altered((found) => ({ ...found, payload: evil(found.payload) })), changedAfter],
  [
    "another provenance",
    altered((found) => ({ ...found, payload: { ...found.payload, provenance: { seconds: 0 } } })),
    changedAfter
  ],
  ["truncated", inText((text) => text.slice(0, text.length / 2)), unreadable],
  ["emptied", inText(() => ""), unreadable],
  ["no JSON", inText((text) => `${text}}`), unreadable],
  ["binary", (scene) => scene.store.put(scene.object, new Uint8Array(1000).fill(255)), unreadable],
  ["nested ten thousand deep", inText(() => nested(10_000)), unreadable],
  [
    "nested ten thousand deep, inside",
    inText((text) => text.replace('"provenance": {', `"provenance": { "x": ${nested(10_000)},`)),
    unreadable
  ],
  [
    "a field twice, the second time another",
    inText((text) => text.replace(/"output": /, '"output": null, "output": {"type":"total"}, "_": ')),
    /^its manifest (was changed after it was signed|is unreadable)$/
  ],
  ["a field more", inText((text) => text.replace('"payload": {', '"payload": {"more": 1,')), changedAfter],
  [
    "__proto__ in the place of a field",
    inText((text) => text.replace('"payload": {', '"payload": {"__proto__": {"output": 1},')),
    changedAfter
  ],
  [
    "__proto__ in the place of the payload",
    inText((text) => text.replace('"payload": {', '"__proto__": {"payload": {').replace(/\}\s*$/, "}}")),
    unreadable
  ],
  ["an envelope of a version to come", altered((found) => ({ ...found, schemaVersion: 2 })), unreadable]
]

const places: ReadonlyArray<Attack> = [
  [
    "replayed from another job",
    (scene) => Effect.flatMap(scene.read(scene.otherObject), (found) => scene.write(scene.object, found)),
    /^its manifest belongs to another job$/
  ],
  [
    "replayed from another job, under this job's name",
    (scene) =>
      Effect.flatMap(scene.read(scene.otherObject), (found) =>
        scene.write(scene.object, { ...found, payload: { ...found.payload, jobKey: scene.manifest.jobKey } })
      ),
    changedAfter
  ],
  [
    "replayed from a pull request, whose key is trusted there",
    (scene) =>
      Effect.gen(function* () {
        const payload = JSON.parse(JSON.stringify(scene.manifest))
        const place = { scope: pr, key: scene.manifest.jobKey }
        const signed = stranger.sign(manifestMessage(place, payload))
        yield* scene.store.put(scene.object, envelopeBytes(pr, signed, payload))
      }),
    /^its manifest was signed for scope pr\/7, not main$/
  ],
  [
    "written into main with a key that counts for pull requests",
    (scene) => scene.store.put(scene.object, forged(scene)),
    /a key that is not trusted/
  ],
  [
    "rolled back to an earlier result, which its owner has signed",
    ({ earlier, object, store }) => store.put(object, earlier),
    /^its manifest was rolled back: of \S+Z, where another result of \S+Z was seen$/
  ],
  [
    "with a scope that leaves its folder",
    altered((found) => ({ ...found, scope: "pr/../main" })),
    unreadable
  ],
  ["with a scope that only looks so", altered((found) => ({ ...found, scope: "maın" })), unreadable]
]

const blobs: ReadonlyArray<Attack> = [
  [
    "its blob swapped for one of the same size",
    ({ blob, store }) => store.put(blob, bytesOf("evil weight")),
    /^blob sha256:\w+ was changed$/
  ],
  [
    "its blob cut short",
    ({ blob, store }) => store.put(blob, bytesOf("the weight")),
    /^blob sha256:\w+ is missing or damaged$/
  ],
  ["its blob gone", ({ blob, store }) => store.remove(blob), /^blob sha256:\w+ is missing or damaged$/]
]

export const attacks: ReadonlyArray<Attack> = [...signatures, ...contents, ...places, ...blobs]
