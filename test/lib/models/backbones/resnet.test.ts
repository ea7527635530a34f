import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { loadBackbone } from "../../../../lib/models/backbones/index.ts"
import { backboneSuite } from "../../../suites/backbone.ts"

const architecture = { family: "resnet", depth: 10, width: 4 } as const

backboneSuite("resnet", { architecture, channels: 3, size: 64 })
backboneSuite("resnet with two blocks a group, grey images", {
  architecture: { ...architecture, depth: 18 },
  channels: 1,
  size: 45
})

backboneSuite("resnet of bottlenecks, the original", {
  architecture: { family: "resnet", depth: 50, width: 2, variant: "A" },
  channels: 3,
  size: 33
})
backboneSuite("resnet of bottlenecks with pooled shortcuts, dilated", {
  architecture: { family: "resnet", depth: 50, width: 2, variant: "D", outputStride: 8 },
  channels: 3,
  size: 33
})
backboneSuite("resnet of basic blocks with pooled shortcuts", {
  architecture: { ...architecture, variant: "D" },
  channels: 3,
  size: 45
})

describe("resnet", () => {
  it.effect("names its weights as torchvision does", () =>
    Effect.gen(function* () {
      const { weights } = yield* loadBackbone({ ...architecture, depth: 34 }, 3)
      const names = weights.map((spec) => spec.name)
      assert.includeMembers(names, [
        "conv1.weight",
        "bn1.running_mean",
        "layer1.2.conv2.weight",
        "layer2.0.downsample.0.weight",
        "layer2.3.bn2.weight",
        "layer3.5.conv1.weight",
        "layer4.0.downsample.1.running_var",
        "layer4.2.conv2.weight"
      ])
      for (const absent of ["layer1.0.downsample.0.weight", "layer2.1.downsample.0.weight", "fc.weight"]) {
        assert.notInclude(names, absent)
      }
      // 33 convolutions, and projections in three groups; each has a batch norm.
      assert.lengthOf(names, (33 + 3) * 5)
    })
  )

  it.effect("names a deep stem and pooled projections as timm does", () =>
    Effect.gen(function* () {
      const deep = yield* loadBackbone({ family: "resnet", depth: 50, width: 64, variant: "D" }, 3)
      const shapes = Object.fromEntries(deep.weights.map(({ name, shape }) => [name, shape]))
      assert.deepStrictEqual(shapes["conv1.0.weight"], [3, 3, 3, 32])
      assert.deepStrictEqual(shapes["conv1.3.weight"], [3, 3, 32, 32])
      assert.deepStrictEqual(shapes["conv1.6.weight"], [3, 3, 32, 64])
      assert.deepStrictEqual(shapes["layer1.0.downsample.1.weight"], [1, 1, 64, 256])
      assert.deepStrictEqual(shapes["layer4.0.downsample.2.running_var"], [2048])
      assert.containsAllKeys(shapes, ["conv1.1.bias", "conv1.4.weight", "bn1.weight", "layer3.5.bn3.weight"])
      assert.isFalse(Object.keys(shapes).some((name) => name.includes("downsample.0")))
      const plain = yield* loadBackbone({ family: "resnet", depth: 50, width: 64, variant: "C" }, 3)
      const names = plain.weights.map((spec) => spec.name)
      assert.includeMembers(names, ["conv1.6.weight", "layer1.0.downsample.0.weight"])
      assert.isFalse(names.some((name) => name.includes("downsample.2")))
    })
  )

  it.effect("says which normalisation closes a block's branch", () =>
    Effect.gen(function* () {
      for (const [depth, closing] of [
        [18, /^layer\d\.\d+\.bn2\.weight$/],
        [50, /^layer\d\.\d+\.bn3\.weight$/]
      ] as const) {
        const { weights } = yield* loadBackbone({ family: "resnet", depth, width: 4 }, 3)
        for (const { closesBranch, name } of weights) {
          assert.strictEqual(closesBranch === true, closing.test(name), name)
        }
      }
    })
  )
})
