import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { loadClassifier } from "../../../lib/models/Classifier.ts"
import { loadDetector } from "../../../lib/models/Detector.ts"
import { TransferMismatch, transferWeights } from "../../../lib/models/transfer-weights.ts"
import { checkWeights } from "../../../lib/models/weights.ts"
import { initializeWeights } from "../../../lib/nn/initializers.ts"
import type { WeightSpec, Weights } from "../../../lib/nn/Weights.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"

const architecture = { family: "resnet", depth: 10, width: 4 } as const
const head = { channels: 8, extraLevels: 1, towerConvs: 1 }
const drawn = (specs: ReadonlyArray<WeightSpec>, seed: number) =>
  initializeWeights(specs, "he-normal-fan-out", RandomStream.make(seed, "weights"))

describe("transferWeights", () => {
  it.effect("takes the whole backbone of a classifier into a detector and says so", () =>
    Effect.gen(function* () {
      const options = { architecture, imageChannels: 3, numClasses: 4 }
      const classifier = yield* loadClassifier(options)
      const detector = yield* loadDetector({ ...options, head, anchorsPerCell: 2 })
      const from = drawn(classifier.weights, 1)
      const fresh = drawn(detector.weights, 2)
      const transfer = yield* transferWeights({ from, specs: detector.weights, fresh })
      yield* checkWeights(transfer.weights, detector.weights)
      assert.deepStrictEqual(transfer.unused, ["fc.weight", "fc.bias"])
      assert.strictEqual(transfer.taken.length, classifier.weights.length - 2)
      assert.strictEqual(transfer.taken.length + transfer.fresh.length, detector.weights.length)
      for (const name of transfer.taken) assert.deepStrictEqual(transfer.weights[name], from[name])
      for (const name of transfer.fresh) {
        assert.match(name, /^(fpn|head)\./)
        assert.deepStrictEqual(transfer.weights[name], fresh[name])
      }
    })
  )

  it.effect("refuses a weight of the same name and another shape", () =>
    Effect.gen(function* () {
      const weight = (...shape: Array<number>) => ({ shape, values: new Float32Array(6) })
      const from: Weights = { "conv1.weight": weight(2, 3), "fc.weight": weight(6) }
      const specs: ReadonlyArray<WeightSpec> = [{ name: "conv1.weight", shape: [3, 2], role: "kernel" }]
      const error = yield* Effect.flip(
        transferWeights({ from, specs, fresh: { "conv1.weight": weight(3, 2) } })
      )
      assert.deepStrictEqual(error, new TransferMismatch({ misshapen: ["conv1.weight [2,3], not [3,2]"] }))
      assert.match(error.message, /conv1\.weight \[2,3\].*architecture/)
    })
  )
})
