import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { hasherLayer } from "../../../infra/hashing.ts"
import { type Digest, Hasher } from "../../../lib/storage/Digest.ts"
import { jsonValue } from "../../../lib/storage/jsonValue.ts"
import {
  artifactDigest,
  canonicalJson,
  foldBase,
  jobKey,
  preImage
} from "../../../lib/workflow/Fingerprint.ts"
import { stateKeys } from "../../../lib/workflow/Fold.ts"

const digest = (character: string) => `sha256:${character.repeat(64)}` as Digest

const withHasher = <A>(use: (hasher: Hasher["Service"]) => A): Effect.Effect<A> =>
  Effect.map(Hasher, use).pipe(Effect.provide(hasherLayer))

describe("canonical JSON", () => {
  it("sorts keys at every depth and writes no spaces", () => {
    assert.strictEqual(
      canonicalJson({ b: [1, { z: null, a: "ü" }], a: { y: true, "": 0.1 } }),
      '{"a":{"":0.1,"y":true},"b":[1,{"a":"ü","z":null}]}'
    )
  })

  it.prop("is JSON of the same value", { value: Schema.Json }, ({ value }) => {
    assert.deepStrictEqual(jsonValue(canonicalJson(value)), jsonValue(JSON.stringify(value)))
  })

  it.prop(
    "does not depend on the order of keys",
    { record: Schema.Record(Schema.String, Schema.Json) },
    (drawn) => {
      const reversed = Object.fromEntries(Object.entries(drawn.record).reverse())
      assert.strictEqual(canonicalJson(reversed), canonicalJson(drawn.record))
    }
  )

  it.each([
    [{ a: { b: [1, undefined] } }, "$.a.b[1] is undefined"],
    [{ a: Number.NaN }, "$.a is NaN"],
    [[Number.POSITIVE_INFINITY], "$[0] is Infinity"],
    [{ f: () => 1 }, "$.f is a function"],
    [{ d: new Date(0) }, "$.d is an instance of Date"],
    [{ b: new Uint8Array(2) }, "$.b is an instance of Uint8Array"],
    [{ n: 1n }, "$.n is 1"]
  ])("refuses %o", (value, message) => {
    assert.throws(() => canonicalJson(value), message)
  })
})

describe("golden digests", () => {
  const identity = {
    stage: "distill",
    code: digest("a"),
    params: { temperature: 4, backbone: { name: "resnet", depth: 8 } },
    inputs: { teacher: digest("b"), many: { y: digest("d"), x: digest("c") } }
  }

  it("the pre-image of a job key", () => {
    assert.strictEqual(
      preImage("job/1", identity),
      'job/1\n{"code":"sha256:' +
        "a".repeat(64) +
        '","inputs":{"many":{"x":"sha256:' +
        "c".repeat(64) +
        '","y":"sha256:' +
        "d".repeat(64) +
        '"},"teacher":"sha256:' +
        "b".repeat(64) +
        '"},"params":{"backbone":{"depth":8,"name":"resnet"},"temperature":4},"stage":"distill"}'
    )
  })

  // Each checked with: printf '<pre-image>' | sha256sum
  it.effect("of a job", () =>
    withHasher((hasher) => {
      assert.strictEqual(
        jobKey(hasher, { ...identity, externals: {} }),
        "sha256:50dbbe6673829e68cba0f92d0b144291ac6517127d7b50ff012db30540d2bb29"
      )
    })
  )

  // printf 'artifact/1\n{"type":"metrics","value":{"top1":0.9}}' | sha256sum
  it.effect("of an artifact", () =>
    withHasher((hasher) => {
      assert.strictEqual(
        artifactDigest(hasher, "metrics", { top1: 0.9 }),
        "sha256:64e61d3a66e8a39fdb8356c1084c252d4ead153c6331f1ac5df15d967b388f72"
      )
    })
  )

  // printf 'fold-base/1\n{"code":"sha256:a…","inputs":{…},"stage":"distill"}' | sha256sum
  it.effect("of where the folds of a job begin", () =>
    withHasher((hasher) => {
      const base = foldBase(hasher, { ...identity, externals: {} })
      assert.strictEqual(base, "sha256:70c8e53fe4785bda4e0a0e9e0b0fbcc6a121dff6f360b014a7bc25e2419e1518")
      assert.notStrictEqual(foldBase(hasher, { ...identity, externals: { images: digest("e") } }), base)
    })
  )

  // printf 'fold/1\n{"before":"sha256:a…","element":{"seed":1}}' | sha256sum, and so on with its digest
  it.effect("of the states of a fold", () =>
    withHasher((hasher) => {
      const keys = stateKeys(hasher, digest("a"), { start: { seed: 1 }, elements: [0.1, "b"] })
      assert.deepStrictEqual<ReadonlyArray<string>>(keys, [
        "sha256:405ffda1e35ab5531dfba49be9912b1770985d4334a1c83dcbb6f1a7e82e496c",
        "sha256:ca0f3b5c0e81bb45ef33ab4f1eaf3aaeea2ccb503b914692c4a44b2bd072b8bc",
        "sha256:23d047d3db525ebf234c9b0eb35b251c5293fc4dbc835c555e5e7db8fd0b61b0"
      ])
    })
  )

  it.effect("a stage's name, code, each param, each input and what is read from outside move the key", () =>
    withHasher((hasher) => {
      const keys = [
        { ...identity, externals: {} },
        { ...identity, externals: { images: digest("e") } },
        { ...identity, stage: "pretrain" },
        { ...identity, code: digest("e") },
        { ...identity, params: { ...identity.params, temperature: 8 } },
        { ...identity, inputs: { ...identity.inputs, teacher: digest("e") } }
      ].map((one) => jobKey(hasher, { externals: {}, ...one }))
      assert.strictEqual(new Set(keys).size, keys.length)
    })
  )
})
