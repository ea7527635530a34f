import { crc32 as zlibCrc32 } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { crc32 } from "../../../../lib/models/published/crc32.ts"
import { floatsOf } from "../../../../lib/models/StoredTensor.ts"
import { sizeOf } from "../../../../lib/nn/Weights.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { mutatedWeights } from "../../../support/mutatedWeights.ts"
import { weightsOutcome } from "../../../support/weightsOutcome.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Axes = Schema.Array(Schema.Struct({ extent: between(0, 4), stride: between(0, 9) })).check(
  Schema.isMaxLength(4)
)

describe("files of weights", () => {
  it.effect.prop(
    "with something wrong are read or refused by name (the soak test draws more)",
    [between(0, 2 ** 31)],
    ([seed]) => {
      const { bytes, name } = mutatedWeights(RandomStream.make(seed))
      return Effect.promise(() => weightsOutcome(`seed ${seed} (${name})`, bytes))
    },
    { arbitrary: { runs: 1500 } }
  )

  it.effect.prop("have the checksums of zlib", [Schema.Uint8Array, between(0, 7)], ([bytes, offset]) =>
    Effect.sync(() => {
      const unaligned = Buffer.concat([new Uint8Array(offset), bytes, bytes, bytes]).subarray(offset)
      assert.strictEqual(crc32(unaligned), zlibCrc32(unaligned))
    })
  )

  it.effect.prop("hold tensors in any order of their storage", [Axes, between(0, 5)], ([axes, offset]) =>
    Effect.sync(() => {
      const shape = axes.map(({ extent }) => extent)
      const strides = axes.map(({ stride }) => stride)
      const elements = Float32Array.from({ length: 200 }, (_, index) => index / 3)
      const at = (flat: number): number => {
        let [rest, place] = [flat, offset]
        for (let axis = shape.length - 1; axis >= 0; axis--) {
          place += (rest % shape[axis]!) * strides[axis]!
          rest = Math.floor(rest / shape[axis]!)
        }
        return elements[place]!
      }
      const storage = new Uint8Array(elements.buffer)
      assert.deepStrictEqual(
        floatsOf({ dtype: "F32", shape, strides, offset, storage }),
        Float32Array.from({ length: sizeOf(shape) }, (_, flat) => at(flat))
      )
    })
  )
})
