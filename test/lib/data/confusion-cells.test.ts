import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { decodeConfusionCells, encodeConfusionCells } from "../../../lib/data/confusion-cells.ts"
import { confusionCells } from "../../../lib/metrics/confusion-matrix.ts"
import { encodeSafetensors } from "../../../lib/models/safetensors.ts"

const Count = Schema.Literals([0, 1, 50_000])

describe("cells of a confusion matrix", () => {
  const Matrix = Schema.Array(Schema.Array(Count).check(Schema.isMaxLength(9))).check(Schema.isMaxLength(9))

  it.effect.prop("are those that are not 0, and survive their bytes", [Matrix], ([matrix]) =>
    Effect.gen(function* () {
      const cells = yield* decodeConfusionCells(encodeConfusionCells(confusionCells(matrix)))
      const again = matrix.map((row): Array<number> => row.map(() => 0))
      for (const [label, prediction, count] of cells) {
        assert.notStrictEqual(count, 0)
        again[label]![prediction] = count
      }
      assert.deepStrictEqual<unknown>(again, matrix)
    })
  )

  it.effect.each([
    ["nothing", {}],
    ["floats", { cells: { shape: [1, 3], values: Float32Array.of(1, 2, 3) } }],
    ["pairs", { cells: { shape: [1, 2], values: Int32Array.of(1, 2) } }],
    ["one row", { cells: { shape: [3], values: Int32Array.of(1, 2, 3) } }]
  ] as const)("%s is refused", ([, arrays]) =>
    Effect.gen(function* () {
      const bytes = encodeSafetensors({ arrays, metadata: {} })
      const error = yield* Effect.flip(decodeConfusionCells(bytes))
      assert.match(error.message, /this is no confusion matrix/)
    })
  )
})
