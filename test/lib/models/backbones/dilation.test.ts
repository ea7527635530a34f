/** Strides that have become dilations: the same weights see the same cells, and more of them. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../../../infra/tensorflow/portable/wasm.ts"
import type { ResNet } from "../../../../lib/models/Architecture.ts"
import { loadBackbone } from "../../../../lib/models/backbones/index.ts"
import { makeSegmenter } from "../../../../lib/models/Segmenter.ts"
import { initializeWeights } from "../../../../lib/nn/initializers.ts"
import { evaluation } from "../../../../lib/nn/Mode.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { tf } from "../../../../lib/tensor/tf.ts"

beforeAll(() => Effect.runPromise(startWasm))

const HEIGHT = 76
const WIDTH = 65

/** Every `step`-th row and column of `[1, H, W, C]`. */
const every = (map: tf.Tensor4D, step: number) =>
  tf.stridedSlice(map, [0, 0, 0, 0], map.shape, [1, step, step, 1])

const assertClose = (actual: tf.Tensor, wanted: tf.Tensor) => {
  assert.deepStrictEqual(actual.shape, wanted.shape)
  const largest = tf.max(tf.abs(wanted)).dataSync()[0]!
  assert.isAbove(largest, 0)
  assert.isBelow(tf.max(tf.abs(tf.sub(actual, wanted))).dataSync()[0]!, 1e-5 * largest)
}

const plain = (depth: ResNet["depth"], variant: NonNullable<ResNet["variant"]>): ResNet => ({
  family: "resnet",
  depth,
  width: 2,
  variant
})

describe("a dilated resnet", () => {
  for (const [depth, variant, outputStride, strides] of [
    [50, "A", 8, [4, 8, 8, 8]],
    [50, "B", 16, [4, 8, 16, 16]],
    [50, "D", 8, [4, 8, 8, 8]],
    [18, "D", 8, [4, 8, 8, 8]],
    [18, "B", 8, [4, 8, 8, 8]]
  ] as const) {
    it.effect(`${depth}-${variant} at stride ${outputStride} has the plain one's cells among its own`, () =>
      Effect.gen(function* () {
        const coarse = yield* loadBackbone(plain(depth, variant), 3)
        const dense = yield* loadBackbone({ ...plain(depth, variant), outputStride }, 3)
        assert.deepStrictEqual(dense.weights, coarse.weights)
        const names = ["c2", "c3", "c4", "c5"] as const
        assert.deepStrictEqual(
          names.map((name) => dense.features[name]?.stride),
          [...strides]
        )
        const random = RandomStream.make(7, "dilation", depth)
        const weights = initializeWeights(dense.weights, "he-normal-fan-in", random)
        tf.tidy(() => {
          const tensors = Object.fromEntries(
            Object.entries(weights).map(([name, { shape, values }]) => [name, tf.tensor(values, [...shape])])
          )
          const pixels = Float32Array.from({ length: HEIGHT * WIDTH * 3 }, () => random.gaussian())
          const images = tf.tensor4d(pixels, [1, HEIGHT, WIDTH, 3])
          const expected = coarse.apply(tensors, images, evaluation)
          const actual = dense.apply(tensors, images, evaluation)
          for (const name of names) {
            const step = coarse.features[name]!.stride / dense.features[name]!.stride
            assertClose(every(actual[name]!, step), expected[name]!)
          }
        })
      })
    )
  }

  it.effect("costs what its larger maps cost", () =>
    Effect.gen(function* () {
      const architecture = { family: "resnet", depth: 10, width: 4 } as const
      const coarse = yield* loadBackbone(architecture, 3)
      const dense = yield* loadBackbone({ ...architecture, outputStride: 16 }, 3)
      // The last group at 4x4 cells in place of 2x2: 3x3 of 16 and of 32 channels, and 1x1 of 16.
      const group = 9 * 16 * 32 + 9 * 32 * 32 + 16 * 32
      assert.strictEqual(dense.macs(64, 64) - coarse.macs(64, 64), group * (16 - 4))
    })
  )

  it.effect("gives a segmenter scores of its own stride", () =>
    Effect.gen(function* () {
      const backbone = yield* loadBackbone({ family: "resnet", depth: 10, width: 4, outputStride: 8 }, 3)
      const segmenter = makeSegmenter({ backbone, numClasses: 3, head: { skip: null } })
      assert.strictEqual(segmenter.stride, 8)
      const weights = initializeWeights(segmenter.weights, "he-normal-fan-in", RandomStream.make(8))
      tf.tidy(() => {
        const tensors = Object.fromEntries(
          Object.entries(weights).map(([name, { shape, values }]) => [name, tf.tensor(values, [...shape])])
        )
        const images = tf.ones([1, 40, 33, 3]) as tf.Tensor4D
        assert.deepStrictEqual(segmenter.applyCoarse(tensors, images, evaluation).shape, [1, 5, 5, 3])
        assert.deepStrictEqual(segmenter.apply(tensors, images, evaluation).shape, [1, 40, 33, 3])
      })
    })
  )
})
