/** The networks that are timed are those they are named for. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { loadClassifier } from "../../../lib/models/Classifier.ts"
import { inceptionV3 } from "./inception-v3.ts"
import { layerClassifier } from "./layerClassifier.ts"
import { mobileNetV1 } from "./mobilenet-v1.ts"
import { resNet50, resNetCifar } from "./resnet.ts"

describe("the networks of the benchmarks", () => {
  it.each([
    // Parameters as torchvision counts them (MobileNet-V1: the paper's 4.2 million), multiply-accumulates of
    // convolutions and linear layer as fvcore counts them.
    ["ResNet-50", resNet50(), 224, 25_557_032, 4.09e9],
    ["MobileNet-V1", mobileNetV1(), 224, 4_231_976, 0.569e9],
    ["Inception-V3", inceptionV3(), 299, 23_834_568, 5.71e9]
  ] as const)(
    "%s has as many parameters and operations as it should",
    (_, network, size, parameters, macs) => {
      const classifier = layerClassifier(network, 1000)
      expect(classifier.parameters).toBe(parameters)
      expect(Math.abs(classifier.macs(size, size) / macs - 1)).toBeLessThan(0.005)
    }
  )

  for (const depth of [20, 56]) {
    it.effect(`the peer's ResNet-${depth} is ours`, () =>
      Effect.gen(function* () {
        const ours = yield* loadClassifier({
          architecture: { family: "resnet-cifar", depth, width: 16, shortcut: "B" },
          imageChannels: 3,
          numClasses: 10
        })
        const peers = layerClassifier(resNetCifar(depth), 10)
        const kernels = ({ weights }: typeof ours) =>
          weights.filter(({ role }) => role === "kernel").map(({ shape }) => shape)
        expect(kernels(peers)).toEqual(kernels(ours))
        expect(peers.parameters).toBe(ours.parameters)
        expect(peers.macs(32, 32)).toBe(ours.macs(32, 32))
      })
    )
  }
})
