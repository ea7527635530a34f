/** The networks that are timed are those they are named for, here and in PyTorch. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { loadClassifier } from "../../../lib/models/Classifier.ts"
import { convNormWeights } from "../../../lib/nn/conv-norm.ts"
import { layerWeights } from "../../../lib/nn/layers.ts"
import type { WeightSpec } from "../../../lib/nn/Weights.ts"
import { type NetworkCase, trainingCases } from "../runtime/cases.ts"
import { type PeerLayer, peerNetwork } from "./peerNetwork.ts"

const cases: ReadonlyArray<readonly [string, NetworkCase]> = Object.entries(trainingCases)

const weightsOf = (layer: PeerLayer): ReadonlyArray<WeightSpec> => {
  switch (layer.kind) {
    case "residual":
      return [...layer.branch, ...(layer.shortcut ? [layer.shortcut] : [])].flatMap(convNormWeights)
    case "halving-max-pool":
      return []
    default:
      return layerWeights(layer)
  }
}

describe("the networks of the benchmarks", () => {
  for (const [name, { architecture, numClasses }] of cases) {
    it.effect(`${name}: the peer's has the kernels and normalisations of ours`, () =>
      Effect.gen(function* () {
        const ours = yield* loadClassifier({ architecture, imageChannels: 3, numClasses })
        const peers = peerNetwork(architecture)
        const shapes = (weights: ReadonlyArray<WeightSpec>) =>
          weights.map(({ role, shape }) => [role, ...shape])
        const [kernel, bias] = shapes(ours.weights).slice(-2)
        expect(kernel).toEqual(["kernel", peers.channels, numClasses])
        expect(bias).toEqual(["bias", numClasses])
        expect(shapes(peers.layers.flatMap(weightsOf))).toEqual(shapes(ours.weights).slice(0, -2))
      })
    )
  }

  it.each([
    // Parameters as torchvision counts them (MobileNet-V1: the paper's 4.2 million), multiply-accumulates of
    // convolutions and linear layer as fvcore counts them.
    ["resnet-50", 25_557_032, 4.09e9],
    ["mobilenet-v1", 4_231_976, 0.569e9],
    ["inception-v3", 23_834_568, 5.71e9]
  ] as const)("%s has as many parameters and operations as it should", async (name, parameters, macs) => {
    const { architecture, numClasses, size } = trainingCases[name]!
    const classifier = await Effect.runPromise(loadClassifier({ architecture, imageChannels: 3, numClasses }))
    expect(classifier.parameters).toBe(parameters)
    expect(Math.abs(classifier.macs(size, size) / macs - 1)).toBeLessThan(0.005)
  })
})
