/** The attack suite on memory and files; and which keys count in which scopes. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { digestOf, hasherLayer } from "../../../infra/hashing.ts"
import { keyPairFrom, newSecret } from "../../../infra/signing/ed25519.ts"
import { fileObjectStoreLayer } from "../../../infra/stores/FileObjectStore.ts"
import { memoryObjectStoreLayer } from "../../../lib/storage/MemoryObjectStore.ts"
import { mainScope } from "../../../lib/storage/Signature.ts"
import { as, looked, makeScene, owner, pr, publish, type Storage } from "../../suites/attacks/scene.ts"
import { attackSuite } from "../../suites/attacks.ts"
import { manifestOf } from "../../support/manifests.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const memory = memoryObjectStoreLayer.pipe(Layer.provideMerge(hasherLayer))
const files = Layer.unwrap(
  Effect.sync(() => fileObjectStoreLayer(temporaryFolder()).pipe(Layer.provideMerge(hasherLayer)))
)

attackSuite("memory", memory)
attackSuite("files", files)

const test = <E>(title: string, body: Effect.Effect<void, E, Storage>) =>
  it.effect(title, () => Effect.provide(body, memory))

describe("signed by somebody trusted, who lies", () => {
  test(
    "about the params, or about the digest of the output: a miss",
    Effect.gen(function* () {
      const manifest = yield* manifestOf({ value: 1 }, { nth: 1 })
      yield* as()(publish({ ...manifest, params: { nth: 3 } }))
      assert.match(yield* as()(looked(manifest)), /states another stage, code, params or inputs/)
      const other = yield* manifestOf({ value: 2 }, { nth: 2 })
      yield* as()(publish({ ...other, output: { ...other.output, digest: digestOf("other") } }))
      assert.match(yield* as()(looked(other)), /does not have the digest it states/)
    })
  )
})

const strangerSecret = newSecret()
const stranger = keyPairFrom(strangerSecret)!

describe("keys and scopes", () => {
  test(
    "what a stranger signed is a miss that says how to trust them, and a hit once they are",
    Effect.gen(function* () {
      const { other } = yield* makeScene
      const reader = { secret: strangerSecret, folder: temporaryFolder() }
      const reason = yield* as(reader)(looked(other))
      assert.include(reason, "is signed by a key that is not trusted")
      assert.include(reason, `npx distillery key trust ${owner.keyId} --scope main`)
      writeFileSync(join(reader.folder, "trusted"), `# colleagues\n\n${owner.keyId} main  Ann\n`)
      assert.strictEqual(yield* as(reader)(looked(other)), '{"value":2}')
      const byVariable = { ...reader, folder: temporaryFolder() }
      const trustKeys = [{ keyId: owner.keyId, scopes: ["main"], name: "" }]
      assert.strictEqual(yield* as({ ...byVariable, trustKeys })(looked(other)), '{"value":2}')
      const elsewhere = [{ keyId: owner.keyId, scopes: ["pr/*"], name: "" }]
      assert.match(yield* as({ ...byVariable, trustKeys: elsewhere })(looked(other)), /not trusted/)
    })
  )

  test(
    "a key that is trusted for pull requests cannot write for the main line",
    Effect.gen(function* () {
      const { other } = yield* makeScene
      const reader = { folder: temporaryFolder(), trustScopes: [mainScope, pr] }
      writeFileSync(join(reader.folder, "trusted"), `${stranger.keyId} pr/* the build server\n`)
      const made = yield* manifestOf({ value: 3 }, { nth: 3 })
      yield* as({ secret: strangerSecret })(publish(made))
      assert.match(yield* as(reader)(looked(made)), /a key that is not trusted/)
      yield* as({ secret: strangerSecret, scope: pr })(publish(made))
      assert.strictEqual(yield* as(reader)(looked(made)), '{"value":3}')
      assert.strictEqual(yield* as()(looked(other)), '{"value":2}')
      assert.match(yield* as()(looked(made)), /a key that is not trusted/)
    })
  )

  test(
    "the key of pull requests is in many hands: what it signed for main counts for none of them either",
    Effect.gen(function* () {
      const made = yield* manifestOf({ value: 3 }, { nth: 3 })
      yield* as({ secret: strangerSecret })(publish(made))
      const inPr = { secret: strangerSecret, scope: pr, trustScopes: [pr, mainScope] }
      assert.match(yield* as(inPr)(looked(made)), /a key that is not trusted/)
      yield* as(inPr)(publish(made))
      assert.strictEqual(yield* as(inPr)(looked(made)), '{"value":3}')
    })
  )

  test(
    "a reader sees the scopes that it accepts, in order, and writes into its own",
    Effect.gen(function* () {
      const { other } = yield* makeScene
      const trustKeys = [{ keyId: owner.keyId, scopes: ["main"], name: "" }]
      const reader = { secret: strangerSecret, scope: pr, trustScopes: [pr, mainScope], trustKeys }
      assert.strictEqual(yield* as(reader)(looked(other)), '{"value":2}')
      const rebuilt = yield* manifestOf({ value: 5 }, { nth: 2 })
      assert.strictEqual((yield* as(reader)(publish(rebuilt)))._tag, "Published")
      assert.strictEqual(yield* as(reader)(looked(other)), '{"value":5}')
      assert.strictEqual(yield* as()(looked(other)), '{"value":2}')
    })
  )
})
