import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { segmentationCrossEntropy } from "../../../lib/losses/segmentation-cross-entropy.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import type { tf } from "../../../lib/tensor/tf.ts"
import { assertClose, readGolden } from "../../support/golden.ts"
import { assertSlopes, lossAndGradient } from "../../support/lossGradients.ts"
import { runtimes } from "../../support/runtimes.ts"

const { crossEntropy: golden } = readGolden<{
  crossEntropy: {
    shape: [number, number, number, number]
    logits: Array<number>
    labels: Array<number>
    loss: number
    gradient: Array<number>
  }
}>("segmentation")

const run = (
  shape: readonly [number, number, number, number],
  logits: ReadonlyArray<number>,
  labels: ReadonlyArray<number>
) =>
  lossAndGradient({
    at: { shape, values: logits },
    given: { labels: { shape: shape.slice(0, 3), values: Int32Array.from(labels) } },
    loss: (x, given) => segmentationCrossEntropy(given.labels as tf.Tensor3D, x as tf.Tensor4D)
  })

const formula =
  (labels: ReadonlyArray<number>, numClasses: number) =>
  (logits: ReadonlyArray<number>): number => {
    const known = (label: number) => label >= 0 && label < numClasses
    const sum = labels.reduce((total, label, pixel) => {
      if (!known(label)) return total
      const row = logits.slice(pixel * numClasses, (pixel + 1) * numClasses)
      return total + Math.log(row.reduce((exps, logit) => exps + Math.exp(logit), 0)) - row[label]!
    }, 0)
    return sum / Math.max(1, labels.filter(known).length)
  }

for (const { name, skipped, layer } of runtimes) {
  describe(`segmentationCrossEntropy on the ${name} runtime${skipped}`, () => {
    const test = (title: string, body: Effect.Effect<void, unknown, never>) =>
      it.effect.skipIf(skipped !== "")(title, () => body)

    test(
      "equals PyTorch's with ignored pixels, value and gradient",
      Effect.gen(function* () {
        const result = yield* run(golden.shape, golden.logits, golden.labels)
        assertClose([result.loss], [golden.loss], 2e-6)
        assertClose(result.gradient, golden.gradient, 2e-6)
      }).pipe(Effect.provide(layer))
    )

    test(
      "has the gradient of finite differences; 255, -1 and other numbers that are no class are ignored",
      Effect.gen(function* () {
        const random = RandomStream.make(6, "segmentation")
        const logits = Array.from({ length: 2 * 3 * 4 * 5 }, () => Math.fround(2 * random.gaussian()))
        const labels = Array.from({ length: 24 }, (_, pixel) => [0, 1, 2, 3, 4, 255, -1, 5][pixel % 8]!)
        const { gradient, loss } = yield* run([2, 3, 4, 5], logits, labels)
        assertClose([loss], [formula(labels, 5)(logits)], 2e-6)
        assertSlopes(gradient, logits, formula(labels, 5), 2e-6)
      }).pipe(Effect.provide(layer))
    )

    test(
      "is 0, with gradient 0, without a labelled pixel",
      Effect.gen(function* () {
        const { gradient, loss } = yield* run([1, 1, 2, 3], [1, 2, 3, 4, 5, 6], [255, 255])
        assert.strictEqual(Math.abs(loss), 0)
        assert.isTrue(gradient.every((value) => Math.abs(value) === 0))
      }).pipe(Effect.provide(layer))
    )

    test(
      "stays finite for logits whose exponentials are not",
      Effect.gen(function* () {
        const { gradient, loss } = yield* run([1, 1, 2, 2], [1e4, -1e4, -1e4, 1e4], [1, 1])
        assertClose([loss], [1e4], 1e-6)
        assert.deepStrictEqual(
          [...gradient].map((value) => value + 0),
          [0.5, -0.5, 0, 0]
        )
      }).pipe(Effect.provide(layer))
    )
  })
}
