import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { huberLoss } from "../../../lib/losses/huber.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import type { tf } from "../../../lib/tensor/tf.ts"
import { assertClose, readGolden } from "../../support/golden.ts"
import { assertSlopes, lossAndGradient } from "../../support/lossGradients.ts"
import { runtimes } from "../../support/runtimes.ts"

const { huber: golden } = readGolden<{
  huber: {
    shape: [number, number, number]
    deltas: Array<number>
    targets: Array<number>
    labels: Array<number>
    cases: Array<{ beta: number; loss: number; gradient: Array<number> }>
  }
}>("detection")

interface Options {
  readonly shape: readonly [number, number, number]
  readonly deltas: ReadonlyArray<number>
  readonly targets: ReadonlyArray<number>
  readonly labels: ReadonlyArray<number>
  readonly beta?: number
}

const run = ({ shape, deltas, targets, labels, ...rest }: Options) =>
  lossAndGradient({
    at: { shape, values: deltas },
    given: {
      targets: { shape, values: Float32Array.from(targets) },
      labels: { shape: shape.slice(0, 2), values: Int32Array.from(labels) }
    },
    loss: (x, given) =>
      huberLoss({
        deltas: x as tf.Tensor3D,
        targets: given.targets as tf.Tensor3D,
        labels: given.labels as tf.Tensor2D,
        ...rest
      })
  })

const formula =
  ({ targets, labels, beta = 1 / 9 }: Omit<Options, "deltas">) =>
  (deltas: ReadonlyArray<number>) => {
    const positives = Math.max(1, labels.filter((label) => label >= 0).length)
    return deltas.reduce((sum, delta, index) => {
      if (labels[Math.floor(index / 4)]! < 0) return sum
      const error = Math.abs(delta - targets[index]!)
      return sum + (error < beta ? error ** 2 / (2 * beta) : error - beta / 2) / positives
    }, 0)
  }

for (const { name, skipped, layer } of runtimes) {
  describe(`huberLoss on the ${name} runtime${skipped}`, () => {
    const test = (title: string, body: Effect.Effect<void, unknown, never>) =>
      it.effect.skipIf(skipped !== "")(title, () => body)

    for (const { beta, loss, gradient } of golden.cases) {
      test(
        `equals PyTorch's smooth L1 at beta ${beta}, value and gradient`,
        Effect.gen(function* () {
          const { shape, deltas, targets, labels } = golden
          const result = yield* run({ shape, deltas, targets, labels, beta })
          assertClose([result.loss], [loss], 2e-6)
          assertClose(result.gradient, gradient, 2e-6)
        }).pipe(Effect.provide(layer))
      )
    }

    test(
      "has the gradient of finite differences, on both sides of beta",
      Effect.gen(function* () {
        const random = RandomStream.make(4, "huber")
        const shape = [2, 5, 4] as const
        const targets = Array.from({ length: 40 }, () => Math.fround(random.gaussian()))
        const deltas = targets.map((target) => Math.fround(target + random.between(-0.3, 0.3)))
        const labels = Array.from({ length: 10 }, (_, anchor) => (anchor % 4) - 1)
        const options = { shape, deltas, targets, labels }
        const result = yield* run(options)
        assertClose([result.loss], [formula(options)(deltas)], 2e-6)
        // Where an error is beta itself to the step's width, the formula bends; none is here.
        assertSlopes(result.gradient, deltas, formula(options), 5e-6)
      }).pipe(Effect.provide(layer))
    )

    test(
      "is 0, with gradient 0, in a batch without positives, whatever the deltas",
      Effect.gen(function* () {
        const { gradient, loss } = yield* run({
          shape: [1, 2, 4],
          deltas: [1e30, -1e30, 3, 4, 5, 6, 7, 8],
          targets: new Array(8).fill(0),
          labels: [-1, -2]
        })
        assert.strictEqual(loss, 0)
        assert.isTrue(gradient.every((value) => Math.abs(value) === 0))
      }).pipe(Effect.provide(layer))
    )
  })
}
