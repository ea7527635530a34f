import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../../../infra/tensorflow/portable/wasm.ts"
import { MobileNetV1 } from "../../../../lib/models/Architecture.ts"
import { loadBackbone } from "../../../../lib/models/backbones/index.ts"
import { initializeWeights } from "../../../../lib/nn/initializers.ts"
import { evaluation } from "../../../../lib/nn/Mode.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { tf } from "../../../../lib/tensor/tf.ts"
import { backboneSuite } from "../../../suites/backbone.ts"
import { zooSuite } from "../../../suites/zoo.ts"

const family = "mobilenet-v1"
const narrow = MobileNetV1.make({ family, width: 0.25 })
const dilated = MobileNetV1.make({ family, width: 0.25, activation: "relu6", outputStride: 8 })

backboneSuite("mobilenet-v1", { architecture: narrow, channels: 3, size: 32 })
backboneSuite("mobilenet-v1 with ReLU6 and dilations, grey images", {
  architecture: dilated,
  channels: 1,
  size: 24
})

describe("mobilenet-v1", () => {
  beforeAll(() => Effect.runPromise(startWasm))

  it.effect("names its weights as timm does", () =>
    Effect.gen(function* () {
      const { weights } = yield* loadBackbone(narrow, 3)
      const shapes = Object.fromEntries(weights.map(({ name, shape }) => [name, shape.join()]))
      assert.include(shapes, {
        "conv_stem.weight": "3,3,3,8",
        "bn1.running_mean": "8",
        "blocks.0.0.conv_dw.weight": "3,3,1,8",
        "blocks.0.0.bn1.weight": "8",
        "blocks.0.0.conv_pw.weight": "1,1,8,16",
        "blocks.3.5.bn2.running_var": "128",
        "blocks.4.1.conv_pw.weight": "1,1,256,256"
      })
      // 27 convolutions with a batch norm each.
      assert.lengthOf(weights, 27 * 5)
    })
  )

  it.effect("sees with dilations what it sees with strides, and more cells between", () =>
    Effect.gen(function* () {
      const strided = yield* loadBackbone({ ...dilated, outputStride: 32 }, 3)
      const dense = yield* loadBackbone(dilated, 3)
      assert.deepStrictEqual(dense.weights, strided.weights)
      assert.strictEqual(dense.features.c5?.stride, 8)
      tf.tidy(() => {
        const random = RandomStream.make(3, "dilated")
        const weights = Object.fromEntries(
          Object.entries(initializeWeights(dense.weights, "he-normal-fan-out", random)).map(
            ([name, { shape, values }]) => [name, tf.tensor(values, [...shape])]
          )
        )
        const images = tf.tensor4d(
          Float32Array.from({ length: 65 * 65 * 3 }, () => random.gaussian()),
          [1, 65, 65, 3]
        )
        const wanted = strided.apply(weights, images, evaluation).c5!
        const found = dense.apply(weights, images, evaluation).c5!
        assert.deepStrictEqual([wanted.shape[1], found.shape[1]], [3, 9])
        const everyFourth = tf.stridedSlice(found, [0, 0, 0, 0], found.shape, [1, 4, 4, 1])
        const apart = tf.max(tf.abs(tf.sub(everyFourth, wanted))).dataSync()[0]!
        assert.isBelow(apart, 1e-4 * tf.max(wanted).dataSync()[0]!)
      })
    })
  )
})

describe("mobilenet-v1 and PyTorch's", () => {
  const relu6 = MobileNetV1.make({ family, activation: "relu6" })
  zooSuite("mobilenet-v1", MobileNetV1.make({ family }))
  zooSuite("mobilenet-v1-relu6", relu6)
  zooSuite("mobilenet-v1-dilated", { ...relu6, outputStride: 8 })
})
