import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Stream } from "effect"
import { digestOf } from "../../../infra/hashing.ts"
import { hexOf } from "../../../lib/storage/Digest.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { mainScope, type Scope } from "../../../lib/storage/Signature.ts"
import * as ResumePoint from "../../../lib/workflow/ResumePoint.ts"
import { testSeals } from "../../support/signing.ts"
import { memoryStorage } from "../../support/toyStages.ts"

const key = digestOf("job")
const place = { scope: mainScope, jobKey: key }
const bytes = (text: string) => new TextEncoder().encode(text)
const keys = Effect.gen(function* () {
  return (yield* Stream.runCollect((yield* ObjectStore).list("resume/"))).map((info) => info.key)
})

it.effect("the latest state is loaded, and only it is kept", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* ResumePoint.load(place), { bytes: Option.none(), problem: undefined })
    for (const text of ["one", "two", "two", "three"]) yield* ResumePoint.save(place, "run", bytes(text))
    assert.deepStrictEqual((yield* ResumePoint.load(place)).bytes, Option.some(bytes("three")))
    assert.lengthOf(yield* keys, 2)
    assert.isTrue(Option.isNone((yield* ResumePoint.load({ ...place, jobKey: digestOf("other job") })).bytes))
    const elsewhere = { ...place, scope: "pr/7" as Scope }
    assert.isTrue(Option.isNone((yield* ResumePoint.load(elsewhere)).bytes))
    yield* ResumePoint.clear(place)
    assert.deepStrictEqual(yield* keys, [])
  }).pipe(Effect.provide(Layer.merge(memoryStorage, testSeals)))
)

const folder = `resume/main/${hexOf(key)}/`
const damages = [
  ["an unreadable pointer", `${folder}pointer.json`, "{", "its pointer is unreadable"],
  ["damaged bytes", `${folder}${hexOf(digestOf("state"))}`, "stat", "its bytes were damaged"],
  ["lost bytes", `${folder}${hexOf(digestOf("state"))}`, undefined, "the bytes it points to are gone"]
] as const
it.effect.each(damages)("%s count as no state, with the reason", ([, object, content, problem]) =>
  Effect.gen(function* () {
    yield* ResumePoint.save(place, "run", bytes("state"))
    const store = yield* ObjectStore
    if (content === undefined) yield* store.remove(object)
    else yield* store.put(object, bytes(content))
    assert.deepStrictEqual(yield* ResumePoint.load(place), { bytes: Option.none(), problem })
    yield* ResumePoint.save(place, "run", bytes("state"))
    assert.deepStrictEqual((yield* ResumePoint.load(place)).bytes, Option.some(bytes("state")))
  }).pipe(Effect.provide(Layer.merge(memoryStorage, testSeals)))
)
