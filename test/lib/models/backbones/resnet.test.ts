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
})
