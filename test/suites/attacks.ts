/**
 * What somebody who can write anything into a store may try, without the key of anyone who is trusted there:
 * all of it is a miss with the reason, and repaired by the next publisher. On whatever store it lies.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { digestOf } from "../../infra/hashing.ts"
import { newSecret } from "../../infra/signing/ed25519.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { ObjectStore, type StoreError } from "../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../lib/storage/Signature.ts"
import { ManifestStore } from "../../lib/workflow/ManifestStore.ts"
import { indexKey } from "../../lib/workflow/ResultIndex.ts"
import { manifestOf } from "../support/manifests.ts"
import { attacks, forged } from "./attacks/attacks.ts"
import { rollbackSuite } from "./attacks/rollback.ts"
import {
  as,
  bytesOf,
  looked,
  makeScene,
  owner,
  planned,
  pr,
  publish,
  reader,
  type Scene,
  type Storage,
  stranger,
  type Test,
  textOf
} from "./attacks/scene.ts"
import { sizeSuite } from "./attacks/sizes.ts"
import { stateSuite } from "./attacks/states.ts"

const repaired = Effect.fnUntraced(function* ({ manifest }: Scene) {
  yield* as()(
    Effect.gen(function* () {
      // A run plans before it publishes.
      yield* looked(manifest)
      yield* (yield* BlobStore).put(bytesOf("the weights"))
      yield* publish(manifest)
    })
  )
  assert.strictEqual(yield* as()(looked(manifest)), JSON.stringify(manifest.output.value))
})

const results = (name: string, test: Test) =>
  describe(`a result that was tampered with is a miss with the reason, and is repaired (${name})`, () => {
    for (const [what, attack, reason] of attacks) {
      test(
        what,
        Effect.gen(function* () {
          const scene = yield* makeScene
          yield* as()(planned([scene.manifest, scene.other]))
          yield* attack(scene)
          assert.match(yield* as(reader)(looked(scene.manifest)), reason)
          yield* repaired(scene)
        })
      )
    }

    test(
      "grown to hundred megabytes: it is not even read",
      Effect.gen(function* () {
        const scene = yield* makeScene
        yield* scene.store.put(scene.object, new Uint8Array(100_000_000))
        let numRead = 0
        const counting = {
          ...scene.store,
          get: (key: string, sizeBytesMax?: number) => {
            if (key === scene.object) numRead += 1
            return scene.store.get(key, sizeBytesMax)
          }
        }
        const reason = yield* as()(looked(scene.manifest)).pipe(Effect.provideService(ObjectStore, counting))
        assert.deepStrictEqual([reason, numRead], ["its manifest is too large", 0])
      })
    )

    test(
      "read through to its blob, with no index to tell: never a wrong byte, and a miss from then on",
      Effect.gen(function* () {
        const { blob, manifest, store } = yield* makeScene
        yield* store.remove(indexKey(mainScope, "toy"))
        yield* store.put(blob, bytesOf("evil weight"))
        const problem = yield* as()(
          Effect.gen(function* () {
            const manifests = yield* ManifestStore
            const found = yield* manifests.inspect(manifest)
            yield* manifests.keep("toy", [manifest.jobKey])
            return found
          })
        )
        assert.match(problem ?? "", /^blob sha256:\w+ was changed$/)
        assert.match(yield* as()(looked(manifest)), /^blob sha256:\w+ was changed$/)
      })
    )
  })

const tampered: ReadonlyArray<readonly [what: string, change: (text: string, scene: Scene) => string]> = [
  ["unsigned", (text) => text.split("\n").slice(1).join("\n")],
  ["emptied", () => ""],
  ["truncated", (text) => text.slice(0, text.length / 2)],
  [
    "with another result",
    (text) => text.replace("the weights", "x").replace(/"type":"total"/, '"type":"evil"')
  ],
  [
    "signed by somebody else",
    (text) => {
      const [, body = ""] = text.split("\n")
      const signature = stranger.sign(`index/1\nmain\ntoy\n${body}`)
      return `${JSON.stringify(signature)}\n${body.replace('"type":"total"', '"type":"evil"')}\n`
    }
  ]
]

const indexes = (name: string, test: Test) =>
  describe(`an index that was tampered with says nothing (${name})`, () => {
    for (const [what, change] of tampered) {
      test(
        what,
        Effect.gen(function* () {
          const scene = yield* makeScene
          yield* as()(planned([scene.manifest, scene.other]))
          const object = indexKey(mainScope, "toy")
          yield* scene.writeText(object, change(textOf(yield* scene.store.get(object)), scene))
          const value = JSON.stringify(scene.manifest.output.value)
          assert.strictEqual(yield* as(reader)(looked(scene.manifest)), value)
          // Nor does it hide that the result itself is not what it was.
          yield* scene.store.put(scene.object, forged(scene))
          assert.match(yield* as(reader)(looked(scene.manifest)), /a key that is not trusted/)
        })
      )
    }
  })

const oldIndexes = (name: string, test: Test) =>
  describe(`an index is only what it was when and where it was signed (${name})`, () => {
    test(
      "replayed from another pipeline or another scope",
      Effect.gen(function* () {
        const scene = yield* makeScene
        yield* as()(planned([scene.manifest]))
        const index = yield* scene.store.get(indexKey(mainScope, "toy"))
        yield* scene.store.put(indexKey(pr, "toy"), index)
        const inPr = { ...reader, scope: pr, trustScopes: [pr] }
        assert.strictEqual(yield* as(inPr)(looked(scene.manifest)), "Absent")
      })
    )

    test(
      "rolled back: what was replaced since does not come back, nor what is not trusted any more",
      Effect.gen(function* () {
        const scene = yield* makeScene
        const object = indexKey(mainScope, "toy")
        yield* as()(planned([scene.other]))
        const before = yield* scene.store.get(object)
        const forced = yield* manifestOf({ value: "forced" }, { nth: 2 })
        yield* as()(Effect.flatMap(ManifestStore, (store) => store.publish(forced, { replace: true })))
        yield* as()(planned([forced]))
        yield* scene.store.put(object, before)
        assert.strictEqual(yield* as()(looked(scene.other)), '{"value":"forced"}')
        const another = { secret: newSecret() }
        const trusting = { ...another, trustKeys: [{ keyId: owner.keyId, scopes: ["main"], name: "" }] }
        assert.strictEqual(yield* as(trusting)(looked(scene.other)), '{"value":"forced"}')
        assert.match(yield* as(another)(looked(scene.other)), /a key that is not trusted/)
      })
    )

    test(
      "of a pull request, which vouches for a result of main",
      Effect.gen(function* () {
        const scene = yield* makeScene
        const inPr = { secret: undefined, folder: "/dev/null", scope: pr, trustScopes: [pr, mainScope] }
        yield* scene.store.remove(scene.object)
        const known = { scope: mainScope, keyId: owner.keyId, stamp: undefined, code: digestOf("code") }
        const { code, ...rest } = scene.manifest
        const body = JSON.stringify({
          schemaVersion: 1,
          codes: { [code.digest]: code },
          manifests: [{ ...known, manifest: rest }],
          blobs: {}
        })
        const signature = stranger.sign(`index/1\n${pr}\ntoy\n${body}`)
        yield* scene.writeText(indexKey(pr, "toy"), `${JSON.stringify(signature)}\n${body}\n`)
        const trusting = {
          ...inPr,
          secret: newSecret(),
          trustKeys: [
            { keyId: stranger.keyId, scopes: ["pr/*"], name: "" },
            { keyId: owner.keyId, scopes: ["main"], name: "" }
          ]
        }
        assert.strictEqual(yield* as(trusting)(looked(scene.manifest)), "Absent")
      })
    )
  })

const races = (name: string, test: Test) =>
  describe(`writers that race (${name})`, () => {
    test(
      "an attacker who writes while an honest writer publishes gets no hit, whoever is last",
      Effect.gen(function* () {
        const scene = yield* makeScene
        const attacks = Array.from({ length: 10 }, () => scene.store.put(scene.object, forged(scene)))
        const honest = Array.from({ length: 10 }, () => Effect.result(as()(publish(scene.manifest))))
        yield* Effect.all([...attacks, ...honest], { concurrency: "unbounded" })
        const value = JSON.stringify(scene.manifest.output.value)
        const seen = yield* as(reader)(looked(scene.manifest))
        assert.isTrue(seen === value || /a key that is not trusted/.test(seen), seen)
        yield* as()(publish(scene.manifest))
        assert.strictEqual(yield* as(reader)(looked(scene.manifest)), value)
      })
    )
  })

/** Each test gets a store of its own. */
export const attackSuite = (name: string, layer: Layer.Layer<Storage, StoreError>): void => {
  const test: Test = (title, body) => it.effect(title, () => Effect.provide(body, layer), 20_000)
  results(name, test)
  indexes(name, test)
  oldIndexes(name, test)
  races(name, test)
  rollbackSuite(name, test)
  stateSuite(name, test)
  sizeSuite(name, test)
}
