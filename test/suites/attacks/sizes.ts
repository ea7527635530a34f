/** Records grown beyond anything that we write: nobody reads them, and everything goes on. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { mainScope } from "../../../lib/storage/Signature.ts"
import { ManifestStore } from "../../../lib/workflow/ManifestStore.ts"
import { indexBytesMax, indexKey } from "../../../lib/workflow/ResultIndex.ts"
import { as, looked, makeScene, planned, publish, type Test } from "./scene.ts"

const recent = Effect.map(
  Effect.flatMap(ManifestStore, (store) => store.recent("toy", "total")),
  (found) => found.map(({ jobKey }) => jobKey)
)

export const sizeSuite = (name: string, test: Test): void => {
  describe(`records grown beyond bounds are not read (${name})`, () => {
    test(
      "an index says nothing, and is written anew",
      Effect.gen(function* () {
        const { manifest, store } = yield* makeScene
        const index = indexKey(mainScope, "toy")
        yield* store.put(index, new Uint8Array(indexBytesMax + 1))
        assert.strictEqual(yield* as()(looked(manifest)), JSON.stringify(manifest.output.value))
        yield* as()(planned([manifest]))
        assert.isBelow((yield* store.head(index)).sizeBytes, 100_000)
      })
    )

    test(
      "a list of a job's latest results says nothing, and is begun anew",
      Effect.gen(function* () {
        const { other, store } = yield* makeScene
        const list = "latest/main/toy/total.json"
        const text = new TextDecoder().decode(yield* store.get(list))
        assert.lengthOf(yield* as()(recent), 2)
        yield* store.put(list, new TextEncoder().encode(text.padEnd(100_000)))
        assert.deepStrictEqual(yield* as()(recent), [])
        yield* as()(publish(other, true))
        assert.deepStrictEqual(yield* as()(recent), [other.jobKey])
      })
    )
  })
}
