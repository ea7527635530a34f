import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Architecture } from "../../../lib/models/Architecture.ts"
import { loadBackbone } from "../../../lib/models/backbones/index.ts"
import { loadClassifier } from "../../../lib/models/Classifier.ts"
import { loadDetector, makeDetector } from "../../../lib/models/Detector.ts"
import { initializeWeights } from "../../../lib/nn/initializers.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { networkSuite } from "../../suites/network.ts"

const resnet = { family: "resnet", depth: 10, width: 4 } as const
const cifar = { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" } as const
const head = { channels: 8, extraLevels: 2, towerConvs: 2 }

const detector = (architecture: Architecture, imageChannels = 3) =>
  loadDetector({ architecture, imageChannels, numClasses: 3, anchorsPerCell: 2, head })

const networkOf = (architecture: Architecture, imageChannels: number, frozen: ReadonlyArray<string>) =>
  Effect.map(detector(architecture, imageChannels), (made) => ({
    weights: made.weights,
    imageChannels,
    apply: (...args: Parameters<typeof made.apply>) => ({ ...made.apply(...args) }),
    shapes: (height: number, width: number) => {
      const cells = made.levels(height, width).reduce((sum, { columns, rows }) => sum + rows * columns, 0)
      return { logits: [2, cells * 2, 3], deltas: [2, cells * 2, 4] }
    },
    sizes: [
      [64, 96],
      [45, 71]
    ] as const,
    frozen
  }))

networkSuite("a detector on resnet", networkOf(resnet, 3, ["conv1", "bn1", "layer1"]))
networkSuite("a detector on resnet-cifar, grey", networkOf(cifar, 1, ["bn1", "layer2.0.downsample"]))

describe("a detector", () => {
  it.effect("has the pyramid's levels: c3 to c5 and two above, or the two coarsest of resnet-cifar", () =>
    Effect.gen(function* () {
      const large = yield* detector(resnet)
      assert.deepStrictEqual(large.levels(240, 321), [
        { stride: 8, rows: 30, columns: 41 },
        { stride: 16, rows: 15, columns: 21 },
        { stride: 32, rows: 8, columns: 11 },
        { stride: 64, rows: 4, columns: 6 },
        { stride: 128, rows: 2, columns: 3 }
      ])
      const strides = (yield* detector(cifar)).levels(32, 32).map(({ stride }) => stride)
      assert.deepStrictEqual(strides, [2, 4, 8, 16])
    })
  )

  it.effect("refuses a backbone whose maps do not double in stride", () =>
    Effect.map(loadBackbone(cifar, 3), (whole) => {
      const features = { c3: whole.features.c3!, c4: { channels: 16, stride: 8 } }
      const options = { numClasses: 3, anchorsPerCell: 2, head }
      assert.throws(() => makeDetector({ ...options, backbone: { ...whole, features } }), /have 2, 8/)
      assert.throws(() => makeDetector({ ...options, backbone: { ...whole, features: {} } }), /double/)
    })
  )

  it.effect("names its backbone as the classifier does, and the rest otherwise", () =>
    Effect.gen(function* () {
      const classifier = yield* loadClassifier({ architecture: resnet, imageChannels: 3, numClasses: 3 })
      const { weights } = yield* detector(resnet)
      const known = new Set(classifier.weights.map(({ name }) => name))
      const rest = weights.map(({ name }) => name).filter((name) => !known.has(name))
      assert.strictEqual(known.size - 2, weights.length - rest.length)
      for (const name of rest) assert.match(name, /^(fpn|head)\./)
      assert.strictEqual(new Set(weights.map(({ name }) => name)).size, weights.length)
    })
  )

  it.effect("starts sure of nothing: every class at a probability of 0.01", () =>
    Effect.gen(function* () {
      const { weights } = yield* detector(resnet)
      const fresh = initializeWeights(weights, "torch-default", RandomStream.make(1, "weights"))
      const bias = fresh["head.classification_head.cls_logits.bias"]!.values
      for (const logit of bias) assert.approximately(1 / (1 + Math.exp(-logit)), 0.01, 1e-6)
      const kernel = fresh["head.regression_head.conv.0.0.weight"]!.values
      const deviation = Math.sqrt(kernel.reduce((sum, value) => sum + value ** 2, 0) / kernel.length)
      assert.approximately(deviation, 0.01, 0.001)
    })
  )
})
