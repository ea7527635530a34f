import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Architecture } from "../../../lib/models/Architecture.ts"
import { loadBackbone } from "../../../lib/models/backbones/index.ts"
import { loadClassifier } from "../../../lib/models/Classifier.ts"
import type { SegmenterHead } from "../../../lib/models/HeadParams.ts"
import { loadSegmenter, makeSegmenter, type Segmenter } from "../../../lib/models/Segmenter.ts"
import { networkSuite } from "../../suites/network.ts"

const resnet = { family: "resnet", depth: 10, width: 4 } as const
const cifar = { family: "resnet-cifar", depth: 8, width: 4, shortcut: "A" } as const

const segmenter = (architecture: Architecture, skip: SegmenterHead["skip"]) =>
  loadSegmenter({ architecture, imageChannels: 3, numClasses: 5, head: { skip } })

const networkOf = (made: Segmenter, output: "apply" | "applyCoarse") => ({
  weights: made.weights,
  imageChannels: 3,
  apply: (...args: Parameters<Segmenter["apply"]>) => ({ logits: made[output](...args) }),
  shapes: (height: number, width: number) => {
    const stride = output === "apply" ? 1 : made.stride
    return { logits: [2, Math.ceil(height / stride), Math.ceil(width / stride), 5] }
  },
  sizes: [
    [64, 96],
    [45, 71]
  ] as const,
  frozen: ["bn1", "layer1"]
})

const suite = (
  name: string,
  architecture: Architecture,
  skip: SegmenterHead["skip"],
  output: "apply" | "applyCoarse"
) =>
  networkSuite(
    name,
    Effect.map(segmenter(architecture, skip), (made) => networkOf(made, output))
  )

suite("a segmenter with a skip", resnet, "c3", "apply")
suite("a segmenter without skip, before upsampling", resnet, null, "applyCoarse")
suite("a segmenter on resnet-cifar", cifar, "c3", "apply")

describe("a segmenter", () => {
  it.effect("has the stride of what it adds up last", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* segmenter(resnet, "c3")).stride, 8)
      assert.strictEqual((yield* segmenter(resnet, null)).stride, 32)
      assert.strictEqual((yield* segmenter(cifar, "c3")).stride, 2)
    })
  )

  it.effect("names its backbone as the classifier does, and the rest otherwise", () =>
    Effect.gen(function* () {
      const classifier = yield* loadClassifier({ architecture: resnet, imageChannels: 3, numClasses: 5 })
      const { weights } = yield* segmenter(resnet, "c3")
      const known = new Set(classifier.weights.map(({ name }) => name))
      const rest = weights.map(({ name }) => name).filter((name) => !known.has(name))
      assert.strictEqual(known.size - 2, weights.length - rest.length)
      for (const name of rest) assert.match(name, /^classifier\./)
      assert.strictEqual(new Set(weights.map(({ name }) => name)).size, weights.length)
    })
  )

  it.effect("refuses a skip from a backbone that has nothing below its coarsest map", () =>
    Effect.gen(function* () {
      const whole = yield* loadBackbone(cifar, 3)
      const backbone = { ...whole, features: { c3: whole.features.c3! } }
      assert.throws(
        () => makeSegmenter({ backbone, numClasses: 5, head: { skip: "c3" } }),
        /Choose another, or null/
      )
    })
  )
})
