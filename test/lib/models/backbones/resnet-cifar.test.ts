import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { loadBackbone } from "../../../../lib/models/backbones/index.ts"
import { backboneSuite } from "../../../suites/backbone.ts"

const architecture = { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" } as const

backboneSuite("resnet-cifar with projections", { architecture, channels: 3, size: 8 })
backboneSuite("resnet-cifar with identity shortcuts, grey images", {
  architecture: { ...architecture, shortcut: "A", depth: 14 },
  channels: 1,
  size: 8
})
backboneSuite("resnet-cifar wider than its stem", {
  architecture: { ...architecture, stem: 2 },
  channels: 3,
  size: 8
})

describe("resnet-cifar", () => {
  it.effect("names its weights as PyTorch's models do", () =>
    Effect.gen(function* () {
      const { weights } = yield* loadBackbone(architecture, 3)
      const names = weights.map((spec) => spec.name)
      // The names of RepDistiller and chenyaofo/pytorch-cifar-models (paper-facts §4.2).
      assert.includeMembers(names, [
        "conv1.weight",
        "bn1.running_mean",
        "layer1.0.conv2.weight",
        "layer2.0.downsample.0.weight",
        "layer3.0.downsample.1.running_var"
      ])
      assert.notInclude(names, "layer1.0.downsample.0.weight")
      const projection = weights.find((spec) => spec.name === "layer2.0.downsample.0.weight")
      assert.deepStrictEqual(projection?.shape, [1, 1, 4, 8])
    })
  )
})
