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
import { decodeResumePoint, encodeResumePoint } from "../../../lib/train/ResumePoint.ts"
import { train } from "../../../lib/train/Trainer.ts"
import { toyTraining } from "../../suites/trainer.ts"
import { kernelsFile, library, native } from "../../support/runtimes.ts"

const halves: Layer.Layer<TensorRuntime, unknown> =
  library.kind === "native"
    ? layerNative({ library, kernels: kernelsFile, threads: 1, float16OnCpu: true })
    : native.layer

const test = it.effect.skipIf(native.skipped !== "")

/** One update of a weight that is 1 by a gradient, on the scale; everything afterwards. */
const updated = Effect.fn(function* (start: LossScale, gradient: number) {
  const scaling = yield* makeLossScaling(start)
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

  test("is refused where no GPU is", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({ precision: "float16" })
      const error = yield* Effect.flip(train(toy))
      assert.match(error.message, /float16, which is for GPUs.*ask for bfloat16/)
    }).pipe(Effect.provide(native.layer)))
})
