/** What somebody who can write into a store may try, on real files, with real keys. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { digestOf, hasherLayer } from "../../../infra/hashing.ts"
import { keyPairFrom, newSecret } from "../../../infra/signing/ed25519.ts"
import { type SigningOptions, signingLayer } from "../../../infra/signing/signing.ts"
import { fileObjectStoreLayer } from "../../../infra/stores/FileObjectStore.ts"
import { blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { mainScope, type Scope } from "../../../lib/storage/Signature.ts"
import type { Manifest } from "../../../lib/workflow/Manifest.ts"
import { ManifestStore, manifestStoreLayer } from "../../../lib/workflow/ManifestStore.ts"
import { type ManifestPlace, manifestKey } from "../../../lib/workflow/SignedManifest.ts"
import { manifestOf } from "../../support/manifests.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const pr = "pr/7" as Scope
const home = temporaryFolder()
const secret = newSecret()
const stranger = newSecret()
const idOf = (of: string) => keyPairFrom(of)!.keyId

const mine: SigningOptions = {
  folder: home,
  secret,
  scope: mainScope,
  trustScopes: [mainScope],
  trustKeys: []
}

/** Every call is a process of its own on the same folder. */
const at =
  (folder: string, options: Partial<SigningOptions> = {}) =>
  <A, E>(effect: Effect.Effect<A, E, ManifestStore>) =>
    Effect.provide(
      effect,
      Layer.fresh(manifestStoreLayer).pipe(
        Layer.provide(signingLayer({ ...mine, ...options })),
        Layer.provide(blobStoreLayer),
        Layer.provide(fileObjectStoreLayer(folder)),
        Layer.provide(hasherLayer)
      )
    )

const publish = (manifest: Manifest) =>
  Effect.flatMap(ManifestStore, (store) => store.publish(manifest, { replace: false }))

/** The reason of a miss, or what else there is. */
const found = (manifest: Manifest) =>
  Effect.gen(function* () {
    const looked = yield* (yield* ManifestStore).find(manifest.jobKey)
    return looked._tag === "Broken" ? looked.reason : looked._tag
  })

const fileOf = (folder: string, place: ManifestPlace): string => join(folder, "objects", manifestKey(place))

interface Envelope {
  readonly scope: string
  readonly signature: string
  readonly payload: Manifest
}

const read = (file: string): Envelope => JSON.parse(readFileSync(file, "utf8"))
const write = (file: string, content: unknown): void => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, JSON.stringify(content))
}

interface Scene {
  readonly folder: string
  readonly manifest: Manifest
  /** Of another job, published, too. */
  readonly other: Manifest
  readonly place: ManifestPlace
  readonly file: string
  readonly reader: Partial<SigningOptions>
}

const scene = Effect.gen(function* () {
  const folder = temporaryFolder()
  const manifest = yield* manifestOf({ value: 1 }, { nth: 1 })
  const other = yield* manifestOf({ value: 2 }, { nth: 2 })
  yield* at(folder)(Effect.andThen(publish(manifest), publish(other)))
  const place = { scope: mainScope, key: manifest.jobKey }
  return { folder, manifest, other, place, file: fileOf(folder, place), reader: {} } satisfies Scene as Scene
}).pipe(Effect.provide(hasherLayer))

/** What is done to the files, and the miss that follows. */
const attacks: ReadonlyArray<readonly [what: string, attack: (scene: Scene) => void, reason: RegExp]> = [
  ["unsigned", ({ file }) => write(file, read(file).payload), /^its manifest is not signed$/],
  ["truncated", ({ file }) => writeFileSync(file, readFileSync(file).subarray(0, 200)), /is unreadable$/],
  ["emptied", ({ file }) => writeFileSync(file, ""), /^its manifest is unreadable$/],
  [
    "another result",
    ({ file, other }) => {
      const envelope = read(file)
      write(file, { ...envelope, payload: { ...envelope.payload, output: other.output } })
    },
    /^its manifest was changed after it was signed$/
  ],
  [
    "another provenance",
    ({ file }) => {
      const envelope = read(file)
      write(file, { ...envelope, payload: { ...envelope.payload, provenance: { seconds: 0 } } })
    },
    /^its manifest was changed after it was signed$/
  ],
  [
    "another signature",
    ({ file, folder, other }) => {
      const { signature } = read(fileOf(folder, { scope: mainScope, key: other.jobKey }))
      write(file, { ...read(file), signature })
    },
    /^its manifest was changed after it was signed$/
  ],
  ["no signature to speak of", ({ file }) => write(file, { ...read(file), signature: "" }), /changed after/],
  [
    "the manifest of another job",
    ({ file, folder, other }) => write(file, read(fileOf(folder, { scope: mainScope, key: other.jobKey }))),
    /^its manifest belongs to another job$/
  ],
  [
    "the manifest of another job under this job's name",
    ({ file, folder, manifest, other }) => {
      const envelope = read(fileOf(folder, { scope: mainScope, key: other.jobKey }))
      write(file, { ...envelope, payload: { ...envelope.payload, jobKey: manifest.jobKey } })
    },
    /^its manifest was changed after it was signed$/
  ]
]

const repaired = Effect.fnUntraced(function* ({ folder, manifest, reader }: Scene) {
  const { _tag } = yield* at(folder, reader)(publish(manifest))
  assert.strictEqual(_tag, "Replaced")
  assert.strictEqual(yield* at(folder, reader)(found(manifest)), "Found")
})

describe("a manifest that was tampered with is a miss, and is repaired by the next publisher", () => {
  it.effect.each(attacks)("%s", ([_, attack, reason]) =>
    Effect.gen(function* () {
      const made = yield* scene
      attack(made)
      assert.match(yield* at(made.folder)(found(made.manifest)), reason)
      yield* repaired(made)
    })
  )

  it.effect("replayed into another scope, with and without that scope's name", () =>
    Effect.gen(function* () {
      const made = yield* scene
      const reader = { scope: pr, trustScopes: [pr] }
      const file = fileOf(made.folder, { ...made.place, scope: pr })
      write(file, read(made.file))
      const look = at(made.folder, reader)(found(made.manifest))
      assert.strictEqual(yield* look, "its manifest was signed for scope main, not pr/7")
      write(file, { ...read(made.file), scope: pr })
      assert.strictEqual(yield* look, "its manifest was changed after it was signed")
      yield* repaired({ ...made, reader })
    })
  )

  it.effect("signed by somebody trusted, who states other params than those of the key", () =>
    Effect.gen(function* () {
      const { folder, manifest } = yield* scene
      const liar = { ...manifest, params: { nth: 3 } }
      const elsewhere = temporaryFolder()
      yield* at(elsewhere)(publish(liar))
      assert.match(yield* at(elsewhere)(found(manifest)), /states another stage, code, params or inputs/)
      const untrue = { ...manifest, output: { ...manifest.output, digest: digestOf("other") } }
      const again = temporaryFolder()
      yield* at(again)(publish(untrue))
      assert.match(yield* at(again)(found(manifest)), /does not have the digest it states/)
      assert.strictEqual(yield* at(folder)(found(manifest)), "Found")
    })
  )
})

describe("keys and scopes", () => {
  it.effect("what a stranger signed is a miss that says how to trust them, and a hit once they are", () =>
    Effect.gen(function* () {
      const made = yield* scene
      const reader = { secret: stranger, folder: temporaryFolder() }
      const reason = yield* at(made.folder, reader)(found(made.manifest))
      const line = `${idOf(secret)} main`
      assert.include(reason, "is signed by a key that is not trusted")
      assert.include(reason, `add the line "${line}" to ${join(reader.folder, "trusted")}`)
      writeFileSync(join(reader.folder, "trusted"), `# colleagues\n\n${line}  Ann\n`)
      assert.strictEqual(yield* at(made.folder, reader)(found(made.manifest)), "Found")
      const byVariable = { secret: stranger, folder: home, trustKeys: [idOf(secret)] }
      assert.strictEqual(yield* at(made.folder, byVariable)(found(made.manifest)), "Found")
    })
  )

  it.effect("a key that is trusted for pull requests cannot write for the main line", () =>
    Effect.gen(function* () {
      const { folder, manifest } = yield* scene
      const reader = { folder: temporaryFolder(), trustScopes: [mainScope, pr] }
      writeFileSync(join(reader.folder, "trusted"), `${idOf(stranger)} pr/* the build server\n`)
      const made = yield* manifestOf({ value: 3 }, { nth: 3 })
      yield* at(folder, { secret: stranger })(publish(made))
      assert.match(yield* at(folder, reader)(found(made)), /a key that is not trusted/)
      yield* at(folder, { secret: stranger, scope: pr })(publish(made))
      assert.strictEqual(yield* at(folder, reader)(found(made)), "Found")
      assert.strictEqual(yield* at(folder)(found(manifest)), "Found")
      assert.match(yield* at(folder)(found(made)), /a key that is not trusted/)
    }).pipe(Effect.provide(hasherLayer))
  )

  it.effect("a reader sees the scopes that it accepts, in order, and writes into its own", () =>
    Effect.gen(function* () {
      const { folder, manifest, other } = yield* scene
      const reader = { scope: pr, trustScopes: [pr, mainScope] }
      assert.strictEqual(yield* at(folder, reader)(found(manifest)), "Found")
      const rebuilt = yield* manifestOf({ value: 5 }, { nth: 2 })
      const published = yield* at(folder, reader)(publish(rebuilt))
      assert.strictEqual(published._tag, "Published")
      const find = Effect.flatMap(ManifestStore, (store) => store.find(other.jobKey))
      assert.deepStrictEqual(yield* at(folder, reader)(find), { _tag: "Found", manifest: rebuilt })
      assert.deepStrictEqual(yield* at(folder)(find), { _tag: "Found", manifest: other })
    }).pipe(Effect.provide(hasherLayer))
  )
})
