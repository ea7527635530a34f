import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readStructs } from "../../../../lib/data/formats/mat-file.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"

const golden = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../../golden/mat-file/${name}`, import.meta.url)))

const expected = [
  [1, "n02119789", "kit fox, Vulpes macrotis", 0, 1300],
  [2, "n02100735", "English setter", 0, 1300],
  [300, "n00015388", "Tier, Übergruppe", 2, 0]
]

describe("MAT-files", () => {
  it.effect.each(["synsets.mat", "synsets-plain.mat"])(
    "%s, by scipy, gives numbers and texts of its structs",
    (name) =>
      Effect.gen(function* () {
        const rows = yield* readStructs(name, golden(name), "synsets")
        assert.deepStrictEqual(
          rows.map((row) => [row.ILSVRC2012_ID, row.WNID, row.words, row.num_children, row.num_train_images]),
          expected
        )
        assert.isNull(rows[0]!.children)
      })
  )

  it.effect("an array that is not there, and a file of another format, are refused", () =>
    Effect.gen(function* () {
      const absent = yield* Effect.flip(readStructs("f", golden("synsets.mat"), "nodes"))
      assert.include(absent.message, 'it has no array of structs "nodes"')
      const other = yield* Effect.flip(readStructs("f", new Uint8Array(200), "synsets"))
      assert.include(other.message, "little-endian")
    })
  )

  it.effect("damage ends in an error of its own or in rows, never in a defect", () =>
    Effect.gen(function* () {
      const random = RandomStream.make(2, "mat")
      const plain = golden("synsets-plain.mat")
      for (let round = 0; round < 500; round++) {
        const damaged = plain.slice(0, random.below(4) === 0 ? random.below(plain.length) : plain.length)
        for (let change = 0; change <= random.below(3); change++) {
          if (damaged.length > 0) damaged[random.below(damaged.length)] = random.below(256)
        }
        const outcome = yield* Effect.result(readStructs("f", damaged, "synsets"))
        assert.include(["Success", "Failure"], outcome._tag)
      }
    })
  )
})
