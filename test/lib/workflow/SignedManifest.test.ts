import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { digestOf, hasherLayer } from "../../../infra/hashing.ts"
import { Hasher } from "../../../lib/storage/Digest.ts"
import { isObjectKey } from "../../../lib/storage/objectKeys.ts"
import { mainScope, Scope, Verifier } from "../../../lib/storage/Signature.ts"
import { manifestKey, manifestPlaceOf, openManifest } from "../../../lib/workflow/SignedManifest.ts"
import { testSigning } from "../../support/signing.ts"

describe("where manifests stand", () => {
  it.effect.prop(
    "a place has a key of its own, from which it is known again",
    { scope: Scope, text: Schema.String },
    ({ scope, text }) =>
      Effect.sync(() => {
        const place = { scope, key: digestOf(text) }
        assert.isTrue(isObjectKey(manifestKey(place)))
        assert.deepStrictEqual(manifestPlaceOf(manifestKey(place)), place)
      })
  )

  it("an object elsewhere is no manifest", () => {
    const sound = manifestKey({ scope: mainScope, key: digestOf("job") })
    for (const key of [
      sound.slice(1),
      `${sound}x`,
      sound.replace("main", "release"),
      sound.replace("main/", "")
    ]) {
      assert.isUndefined(manifestPlaceOf(key), key)
    }
  })
})

it.effect.prop(
  "whatever bytes stand in a slot, they are refused with a reason and never a defect",
  { json: Schema.Json, text: Schema.String, isJson: Schema.Boolean },
  ({ isJson, json, text }) =>
    Effect.gen(function* () {
      const services = { hasher: yield* Hasher, verifier: yield* Verifier }
      const bytes = new TextEncoder().encode(isJson ? JSON.stringify(json) : text)
      const opened = openManifest(bytes, { scope: mainScope, key: digestOf("job") }, services)
      assert.deepStrictEqual(opened, { _tag: "Refused", reason: "its manifest is unreadable" })
    }).pipe(Effect.provide(testSigning), Effect.provide(hasherLayer))
)
