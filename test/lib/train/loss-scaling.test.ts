/** Training in float16 with its loss scaled: slow on a CPU, and right. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { layerNative } from "../../../infra/tensorflow/NativeRuntime.ts"
import { TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import {
  assignIfFinite,
  type LossScale,
  makeLossScaling,
  moveScale,
  readLossScaling
} from "../../../lib/train/loss-scaling.ts"
import { decodeResumePoint, encodeResumePoint, type ResumePoint } from "../../../lib/train/ResumePoint.ts"
import { train } from "../../../lib/train/Trainer.ts"
import { type Toy, toyTraining } from "../../suites/trainer.ts"
import { kernelsFile, library, native, runtimes } from "../../support/runtimes.ts"

const halves: Layer.Layer<TensorRuntime, unknown> =
  library.kind === "native"
    ? layerNative({ library, kernels: kernelsFile, threads: 1, float16OnCpu: true })
    : native.layer

const test = it.effect.skipIf(native.skipped !== "")

/** One update of a weight that is 1 by a gradient, on the scale; everything afterwards. */
const updated = Effect.fn(function* (start: LossScale, gradient: number, isDynamic = true) {
  const scaling = yield* makeLossScaling(start, isDynamic)
  const weight = tf.tidy(() => tf.variable(tf.scalar(1)))
  const runtime = yield* TensorRuntime
  const step = yield* runtime.jit(
    ({ g }) => {
      const finite = assignIfFinite({ weight: g! }, [weight], () => weight.assign(tf.sub(weight, g!)))
      moveScale(scaling, finite)
      return {}
    },
    { inputs: { g: { shape: [], dtype: "float32" } }, precision: "float32" }
  )
  yield* step.run({ g: Float32Array.of(gradient) })
  const after = { weight: weight.dataSync()[0], ...(yield* readLossScaling(scaling)) }
  weight.dispose()
  return after
})

describe(`the scale of a loss${native.skipped}`, () => {
  const cases = [
    [
      "stays, and counts good steps",
      { scale: 8, goodSteps: 3 },
      0.25,
      { weight: 0.75, scale: 8, goodSteps: 4 }
    ],
    [
      "doubles after many of them",
      { scale: 8, goodSteps: 1999 },
      0.25,
      { weight: 0.75, scale: 16, goodSteps: 0 }
    ],
    ["has an upper end", { scale: 2 ** 24, goodSteps: 1999 }, 0, { weight: 1, scale: 2 ** 24, goodSteps: 0 }],
    [
      "halves where a gradient overflowed, which changes nothing else",
      { scale: 8, goodSteps: 30 },
      Number.POSITIVE_INFINITY,
      { weight: 1, scale: 4, goodSteps: 0 }
    ],
    ["halves for a NaN", { scale: 8, goodSteps: 0 }, Number.NaN, { weight: 1, scale: 4, goodSteps: 0 }],
    ["has a lower end", { scale: 1, goodSteps: 5 }, Number.NaN, { weight: 1, scale: 1, goodSteps: 0 }]
  ] as const
  for (const [title, start, gradient, expected] of cases) {
    test(title, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* updated(start, gradient), expected)
      }).pipe(Effect.provide(halves))
    )
  }
})

test("a static scale stays where a gradient overflowed", () =>
  Effect.gen(function* () {
    const start = { scale: 8, goodSteps: 0 }
    assert.deepStrictEqual(yield* updated(start, Number.POSITIVE_INFINITY, false), { weight: 1, ...start })
    assert.deepStrictEqual(yield* updated(start, 0.25, false), { weight: 0.75, ...start })
  }).pipe(Effect.provide(halves)))

/** The toy's, with the gradients (not the loss) too large in the parts of a batch that are asked for. */
const overflowing = (
  toy: Toy,
  isTooLarge: (position: { readonly epoch: number; readonly step: number }) => boolean
): Toy => ({
  ...toy,
  batches: {
    ...toy.batches,
    fill: (position, feeds) => {
      toy.batches.fill(position, feeds)
      if (isTooLarge(position)) feeds.targets.fill(1e33)
    }
  }
})

for (const { layer, name, skipped } of runtimes) {
  describe.skipIf(skipped !== "")(`a static scale in float32 on the ${name} runtime${skipped}`, () => {
    it.effect("changes no bit of the weights", () =>
      Effect.gen(function* () {
        const plain = (yield* train(yield* toyTraining())).state
        const scaled = (yield* train(yield* toyTraining({ lossScale: 1024 }))).state
        assert.deepStrictEqual(scaled.weights, plain.weights)
        const facts = { lossScale: 1024, skippedSteps: 0 }
        assert.deepStrictEqual(
          scaled.history,
          plain.history.map((record) => ({ ...record, ...facts }))
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("makes steps be skipped whose gradients overflow, and counts them", () =>
      Effect.gen(function* () {
        const toy = yield* toyTraining({ lossScale: 2 ** 24 })
        const states: Array<ResumePoint> = []
        const { state } = yield* train({
          ...overflowing(toy, ({ epoch, step }) => epoch === 1 && step > 0),
          save: (point) => Effect.sync(() => void states.push(point)),
          saveIntervalMillis: 0
        })
        assert.deepStrictEqual(
          state.history.map(({ lossScale, skippedSteps }) => [lossScale, skippedSteps]),
          [
            [2 ** 24, 0],
            [2 ** 24, 2],
            [2 ** 24, 0]
          ]
        )
        const [, , , before, , after, next] = states
        assert.deepStrictEqual(after!.weights, before!.weights)
        assert.deepStrictEqual(after!.velocities, before!.velocities)
        assert.notDeepEqual(next!.weights, after!.weights)
      }).pipe(Effect.provide(layer))
    )

    it.effect("with micro-batches: one that overflows spoils its step and no other", () =>
      Effect.gen(function* () {
        const toy = yield* toyTraining({ batchSize: 12, microBatchSize: 4, lossScale: 2 ** 24 })
        const states: Array<ResumePoint> = []
        yield* train({
          ...overflowing(toy, ({ epoch, step }) => epoch === 1 && step === 1),
          save: (point) => Effect.sync(() => void states.push(point)),
          saveIntervalMillis: 0
        })
        const [, before, after, next] = states
        assert.strictEqual(next!.history.at(-1)!.skippedSteps, 1)
        assert.deepStrictEqual(after!.weights["fc.weight"], before!.weights["fc.weight"])
        assert.notDeepEqual(next!.weights["fc.weight"], after!.weights["fc.weight"])
        const means = next!.weights["bn1.running_mean"]!.values
        assert.isTrue(means.every(Number.isFinite))
      }).pipe(Effect.provide(layer))
    )

    it.effect("stops where no step of an epoch had finite gradients", () =>
      Effect.gen(function* () {
        const toy = overflowing(yield* toyTraining({ lossScale: 2 ** 24 }), ({ epoch }) => epoch === 1)
        const error = yield* Effect.flip(train(toy))
        assert.strictEqual(error._tag, "DivergedError")
        const [what, where] = error.message.split("; ")
        assert.match(
          what!,
          /^The gradients stopped being finite at step 6 \(learning rate 0\.\d+, loss scale 16777216\)$/
        )
        assert.strictEqual(
          where,
          "the last good state is that of epoch 1. " +
            "Every step of the epoch was skipped: take a lower lossScale."
        )
      }).pipe(Effect.provide(layer))
    )
  })
}

describe(`training in float16${native.skipped}`, () => {
  test("comes close to float32, and is not it", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({ epochs: 4, learningRate: 0.05 })
      const exact = yield* train(toy)
      const half = yield* train({ ...toy, params: { ...toy.params, precision: "float16" } })
      assert.deepStrictEqual(half.state.lossScale, { scale: 2 ** 15, goodSteps: 12 })
      half.state.history.forEach(({ train: { loss } }, epoch) => {
        assert.approximately(loss!, exact.state.history[epoch]!.train.loss!, 0.03)
        assert.notStrictEqual(loss, exact.state.history[epoch]!.train.loss)
      })
    }).pipe(Effect.provide(halves)))

  test("lowers a scale that is too high until gradients are finite, then learns", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({ precision: "float16", epochs: 8, augment: { pad: 0, flip: false } })
      const lossScale = { scale: 2 ** 24, goodSteps: 0 }
      const { history, lossScale: reached } = (yield* train({ ...toy, start: { ...toy.start, lossScale } }))
        .state
      assert.isBelow(reached!.scale, 2 ** 24)
      assert.strictEqual(history.at(-1)!.lossScale, reached!.scale)
      const skipped = history.reduce((sum, { skippedSteps = 0 }) => sum + skippedSteps, 0)
      assert.strictEqual(skipped, Math.log2(2 ** 24 / reached!.scale))
      assert.isBelow(reached!.goodSteps, 24)
      assert.isAbove(reached!.goodSteps, 0)
      assert.isBelow(history.at(-1)!.train.loss!, history[0]!.train.loss! / 2)
    }).pipe(Effect.provide(halves)))

  test("reaches the same bytes when stopped and resumed, the scale among them", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({ precision: "float16" })
      const lossScale = { scale: 2 ** 20, goodSteps: 0 }
      const start = { ...toy.start, lossScale }
      const expected = encodeResumePoint((yield* train({ ...toy, start })).state)
      let asked = 0
      const stopRequested = Effect.sync(() => asked++ >= 4)
      const stopped = encodeResumePoint((yield* train({ ...toy, start, stopRequested })).state)
      const resumed = yield* decodeResumePoint(stopped, toy.classifier.weights)
      assert.isDefined(resumed.lossScale)
      assert.deepStrictEqual(encodeResumePoint((yield* train({ ...toy, start: resumed })).state), expected)
    }).pipe(Effect.provide(halves)))

  test("stops at a loss that is not finite, and says the scale", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({ precision: "float16", epochs: 2 })
      const fill: typeof toy.batches.fill = (position, feeds) => {
        toy.batches.fill(position, feeds)
        if (position.epoch === 1) feeds.targets[3] = Number.POSITIVE_INFINITY
      }
      const error = yield* Effect.flip(train({ ...toy, batches: { ...toy.batches, fill } }))
      assert.match(error.message, /^The loss stopped .* at step 4 \(.*, loss scale 32768\).* of epoch 1\./)
    }).pipe(Effect.provide(halves)))

  test("is refused where no GPU is", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({ precision: "float16" })
      const error = yield* Effect.flip(train(toy))
      assert.match(error.message, /float16, which is for GPUs.*ask for bfloat16/)
    }).pipe(Effect.provide(native.layer)))
})
