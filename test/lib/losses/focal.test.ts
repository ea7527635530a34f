import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { focalLoss } from "../../../lib/losses/focal.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import type { tf } from "../../../lib/tensor/tf.ts"
import { assertClose, readGolden } from "../../support/golden.ts"
import { assertSlopes, lossAndGradient } from "../../support/lossGradients.ts"
import { runtimes } from "../../support/runtimes.ts"

const { focal: golden } = readGolden<{
  focal: {
    shape: [number, number, number]
    logits: Array<number>
    labels: Array<number>
    cases: Array<{ alpha: number; gamma: number; loss: number; gradient: Array<number> }>
  }
}>("detection")

interface Options {
  readonly shape: readonly [number, number, number]
  readonly logits: ReadonlyArray<number>
  readonly labels: ReadonlyArray<number>
  readonly alpha?: number
  readonly gamma?: number
}

const run = ({ shape, logits, labels, ...rest }: Options) =>
  lossAndGradient({
    at: { shape, values: logits },
    given: { labels: { shape: shape.slice(0, 2), values: Int32Array.from(labels) } },
    loss: (x, given) => focalLoss({ logits: x as tf.Tensor3D, labels: given.labels as tf.Tensor2D, ...rest })
  })

/** Equation 5 in double: -alpha_t (1 - p_t)^gamma log p_t, over the positives. */
const formula =
  ({ shape, labels, alpha = 0.25, gamma = 2 }: Omit<Options, "logits">) =>
  (logits: ReadonlyArray<number>) => {
    const positives = Math.max(1, labels.filter((label) => label >= 0).length)
    return logits.reduce((sum, logit, index) => {
      const label = labels[Math.floor(index / shape[2])]!
      if (label === -2) return sum
      const own = label === index % shape[2]
      const p = 1 / (1 + Math.exp(own ? -logit : logit))
      return sum - ((own ? alpha : 1 - alpha) * (1 - p) ** gamma * Math.log(p)) / positives
    }, 0)
  }

for (const { name, skipped, layer } of runtimes) {
  describe(`focalLoss on the ${name} runtime${skipped}`, () => {
    const test = (title: string, body: Effect.Effect<void, unknown, never>) =>
      it.effect.skipIf(skipped !== "")(title, () => body)

    for (const { alpha, gamma, loss, gradient } of golden.cases) {
      test(
        `equals torchvision's at alpha ${alpha}, gamma ${gamma}, value and gradient`,
        Effect.gen(function* () {
          const { shape, logits, labels } = golden
          const result = yield* run({ shape, logits, labels, alpha, gamma })
          assertClose([result.loss], [loss], 2e-6)
          assertClose(result.gradient, gradient, 2e-6)
        }).pipe(Effect.provide(layer))
      )
    }

    for (const numClasses of [1, 4]) {
      test(
        `has the gradient of finite differences with ${numClasses} classes`,
        Effect.gen(function* () {
          const random = RandomStream.make(3, "focal", numClasses)
          const shape = [2, 6, numClasses] as const
          const logits = Array.from({ length: 12 * numClasses }, () => Math.fround(3 * random.gaussian()))
          const labels = Array.from({ length: 12 }, () => random.below(numClasses + 2) - 2)
          const options = { shape, logits, labels }
          const result = yield* run(options)
          assertClose([result.loss], [formula(options)(logits)], 2e-6)
          assertSlopes(result.gradient, logits, formula(options), 2e-6)
        }).pipe(Effect.provide(layer))
      )
    }

    test(
      "ignored anchors weigh nothing; a batch without positives is divided by 1",
      Effect.gen(function* () {
        const shape = [1, 2, 1] as const
        const { gradient, loss } = yield* run({ shape, logits: [0, 5], labels: [-1, -2] })
        assertClose([loss], [0.75 * 0.25 * Math.log(2)], 1e-6)
        assert.isAbove(gradient[0]!, 0.1)
        assert.strictEqual(Math.abs(gradient[1]!), 0)
      }).pipe(Effect.provide(layer))
    )

    test(
      "has finite gradients for logits of any size",
      Effect.gen(function* () {
        const logits = [1e4, -1e4, 100, -100, 1e30, -1e30, 88, -88, 0, 3e38, -3e38, 17]
        for (const label of [0, -1]) {
          const labels = logits.map(() => label)
          const { gradient } = yield* run({ shape: [1, logits.length, 1], logits, labels })
          gradient.forEach((value, index) => {
            // Clear mistakes have the full slope of cross-entropy, what is right has none.
            const wrong = label === 0 ? logits[index]! <= -88 : logits[index]! >= 88
            const share = (label === 0 ? -0.25 : 0.75) / (label === 0 ? logits.length : 1)
            if (Math.abs(logits[index]!) >= 88) assert.approximately(value, wrong ? share : 0, 1e-6)
            else assert.isTrue(Number.isFinite(value))
          })
        }
        const { loss } = yield* run({ shape: [1, 1, 1], logits: [-1e4], labels: [0] })
        assertClose([loss], [2500], 1e-6)
      }).pipe(Effect.provide(layer))
    )
  })
}
