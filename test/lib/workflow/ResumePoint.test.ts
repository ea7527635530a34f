import { assert, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { digestOf } from "../../../infra/hashing.ts"
import { hexOf } from "../../../lib/storage/Digest.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import * as ResumePoint from "../../../lib/workflow/ResumePoint.ts"
import { memoryStorage } from "../../support/toyStages.ts"

const key = digestOf("job")
const bytes = (text: string) => new TextEncoder().encode(text)
const keys = Effect.gen(function* () {
  return (yield* Stream.runCollect((yield* ObjectStore).list("resume/"))).map((info) => info.key)
})

it.effect("the latest state is loaded, and only it is kept", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* ResumePoint.load(key), { bytes: Option.none(), problem: undefined })
    for (const text of ["one", "two", "two", "three"]) yield* ResumePoint.save(key, "run", bytes(text))
    assert.deepStrictEqual((yield* ResumePoint.load(key)).bytes, Option.some(bytes("three")))
    assert.lengthOf(yield* keys, 2)
    assert.isTrue(Option.isNone((yield* ResumePoint.load(digestOf("other job"))).bytes))
    yield* ResumePoint.clear(key)
    assert.deepStrictEqual(yield* keys, [])
  }).pipe(Effect.provide(memoryStorage))
)

const folder = `resume/${hexOf(key)}/`
const damages = [
  ["an unreadable pointer", `${folder}pointer.json`, "{", "its pointer is unreadable"],
  ["damaged bytes", `${folder}${hexOf(digestOf("state"))}`, "stat", "its bytes were damaged"],
  ["lost bytes", `${folder}${hexOf(digestOf("state"))}`, undefined, "the bytes it points to are gone"]
] as const
it.effect.each(damages)("%s count as no state, with the reason", ([, object, content, problem]) =>
  Effect.gen(function* () {
    yield* ResumePoint.save(key, "run", bytes("state"))
    const store = yield* ObjectStore
    if (content === undefined) yield* store.remove(object)
    else yield* store.put(object, bytes(content))
    assert.deepStrictEqual(yield* ResumePoint.load(key), { bytes: Option.none(), problem })
    yield* ResumePoint.save(key, "run", bytes("state"))
    assert.deepStrictEqual((yield* ResumePoint.load(key)).bytes, Option.some(bytes("state")))
  }).pipe(Effect.provide(memoryStorage))
)
