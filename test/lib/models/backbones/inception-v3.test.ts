import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { InceptionV3 } from "../../../../lib/models/Architecture.ts"
import { loadBackbone } from "../../../../lib/models/backbones/index.ts"
import { loadClassifier } from "../../../../lib/models/Classifier.ts"
import { loadDetector } from "../../../../lib/models/Detector.ts"
import { DetectorHead } from "../../../../lib/models/HeadParams.ts"
import { loadSegmenter } from "../../../../lib/models/Segmenter.ts"
import { backboneSuite } from "../../../suites/backbone.ts"
import { zooSuite } from "../../../suites/zoo.ts"

const family = "inception-v3"
const narrow = InceptionV3.make({ family, width: 0.25, dropout: 0 })

backboneSuite("inception-v3", { architecture: narrow, channels: 3, size: 75 })

describe("inception-v3", () => {
  it.effect("has the published maps at 299x299", () =>
    Effect.gen(function* () {
      const { features } = yield* loadBackbone(InceptionV3.make({ family }), 3)
      const facts = Object.entries(features).map(([name, { channels, extent, stride }]) => [
        name,
        channels,
        stride,
        extent!(299)
      ])
      assert.deepStrictEqual(facts, [
        ["c2", 192, 4, 71],
        ["c3", 288, 8, 35],
        ["c4", 768, 16, 17],
        ["c5", 2048, 32, 8]
      ])
    })
  )

  it.effect("names its weights as torchvision does", () =>
    Effect.gen(function* () {
      const architecture = InceptionV3.make({ family, auxiliary: true })
      const { weights } = yield* loadClassifier({ architecture, imageChannels: 3, numClasses: 1000 })
      const shapes = Object.fromEntries(weights.map(({ name, shape }) => [name, shape.join()]))
      assert.include(shapes, {
        "Conv2d_1a_3x3.conv.weight": "3,3,3,32",
        "Conv2d_4a_3x3.bn.running_var": "192",
        "Mixed_5b.branch5x5_2.conv.weight": "5,5,48,64",
        "Mixed_6a.branch3x3.bn.bias": "384",
        "Mixed_6c.branch7x7dbl_2.conv.weight": "7,1,160,160",
        "Mixed_7a.branch7x7x3_4.conv.weight": "3,3,192,192",
        "Mixed_7c.branch3x3dbl_3b.conv.weight": "3,1,384,384",
        "AuxLogits.conv1.conv.weight": "5,5,128,768",
        "AuxLogits.fc.weight": "768,1000",
        "fc.bias": "1000"
      })
      // 94 convolutions and two of the auxiliary classifier, a batch norm each, and two linear layers.
      assert.lengthOf(weights, 96 * 5 + 4)
    })
  )

  it.effect("is refused by heads that need the whole picture", () =>
    Effect.gen(function* () {
      const options = { architecture: narrow, imageChannels: 3, numClasses: 2 }
      const detector = loadDetector({ ...options, anchorsPerCell: 9, head: DetectorHead.make({}) })
      const segmenter = loadSegmenter({ ...options, head: { skip: null } })
      for (const load of [Effect.asVoid(detector), Effect.asVoid(segmenter)]) {
        assert.match(String(yield* Effect.sandbox(load).pipe(Effect.flip)), /leaves a margin out/)
      }
    })
  )
})

describe("inception-v3 and PyTorch's", () => {
  zooSuite("inception-v3", InceptionV3.make({ family, dropout: 0 }))
})
