import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../../../infra/tensorflow/portable/wasm.ts"
import { loadClassifier } from "../../../../lib/models/Classifier.ts"
import { tf } from "../../../../lib/tensor/tf.ts"
import { muonUpdate, orthogonalized, orthogonalWeights } from "../../../../lib/train/optimizers/muon.ts"
import { train } from "../../../../lib/train/Trainer.ts"
import { toyTraining } from "../../../suites/trainer.ts"
import { assertClose, readGolden } from "../../../support/golden.ts"
import { runtimes } from "../../../support/runtimes.ts"

/** By numpy, in float64. */
const golden = readGolden<{
  readonly orthogonalized: ReadonlyArray<{
    readonly matrix: Array<Array<number>>
    readonly result: ReadonlyArray<ReadonlyArray<number>>
  }>
  readonly muon: ReadonlyArray<{
    readonly shape: Array<number>
    readonly before: Array<number>
    readonly gradients: ReadonlyArray<Array<number>>
    readonly after: ReadonlyArray<number>
  }>
}>("optimizers")

beforeAll(() => Effect.runPromise(startWasm))

describe("a matrix made orthogonal", () => {
  it.each(golden.orthogonalized)("is numpy's, case %#", ({ matrix, result }) =>
    assertClose(orthogonalized(tf.tensor2d(matrix)).dataSync(), result.flat(), 1e-5)
  )

  it("is near a matrix with singular values of 1", () => {
    const { matrix } = golden.orthogonalized[0]!
    const near = orthogonalized(tf.tensor2d(matrix))
    const gram = tf.matMul(near, near, false, true).arraySync() as Array<Array<number>>
    for (const [row, values] of gram.entries()) {
      assert.approximately(values[row]!, 1, 0.5)
      for (const [column, value] of values.entries()) if (column !== row) assert.isBelow(Math.abs(value), 0.3)
    }
  })
})

describe("Muon", () => {
  it.each(golden.muon)("moves a convolution as numpy does in PyTorch's layout, case %#", (one) => {
    const weight = tf.variable(tf.tensor(one.before, one.shape))
    const velocity = tf.variable(tf.zeros(one.shape))
    for (const values of one.gradients) {
      const gradient = tf.tensor(values, one.shape)
      muonUpdate(
        { rateFactor: 0.2, momentum: 0.95, weightDecay: 0.1 },
        { weight, velocity, gradient, learningRate: tf.scalar(0.1) }
      )
    }
    assertClose(weight.dataSync(), one.after, 1e-5)
  })

  it.effect("is for convolutions between the first layer and the last, not for depthwise ones", () =>
    Effect.gen(function* () {
      const namesOf = (architecture: Parameters<typeof loadClassifier>[0]["architecture"]) =>
        Effect.map(loadClassifier({ architecture, imageChannels: 3, numClasses: 4 }), ({ weights }) => [
          ...orthogonalWeights(weights)
        ])
      const shortcut = "B"
      assert.deepStrictEqual(yield* namesOf({ family: "resnet-cifar", depth: 8, width: 4, shortcut }), [
        ...["layer1.0.conv1.weight", "layer1.0.conv2.weight"],
        ...["layer2.0.conv1.weight", "layer2.0.conv2.weight", "layer2.0.downsample.0.weight"],
        ...["layer3.0.conv1.weight", "layer3.0.conv2.weight", "layer3.0.downsample.0.weight"]
      ])
      const mobile = yield* namesOf({ family: "mobilenet-v1", width: 0.25, activation: "relu" })
      assert.lengthOf(mobile, 13)
      assert.isTrue(mobile.every((name) => name.includes("pw")))
    })
  )

  for (const { layer, name, skipped } of runtimes) {
    it.effect.skipIf(skipped !== "")(`trains a network on the ${name} runtime${skipped}`, () =>
      Effect.gen(function* () {
        const optimizer = { kind: "muon", rateFactor: 0.2, momentum: 0.95, weightDecay: 0 } as const
        const toy = yield* toyTraining({ optimizer, epochs: 8, augment: { pad: 0, flip: false } })
        const { history } = (yield* train(toy)).state
        assert.isBelow(history.at(-1)!.train.loss!, history[0]!.train.loss! / 2)
      }).pipe(Effect.provide(layer))
    )
  }
})
