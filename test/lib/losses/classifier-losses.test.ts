/** Losses of classifiers and their gradients against PyTorch's (`test/golden/losses`), on every runtime. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { binaryCrossEntropy, type ClassReduction } from "../../../lib/losses/binary-cross-entropy.ts"
import { type Combination, distillationLoss } from "../../../lib/losses/distillation.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { assertClose, readGolden } from "../../support/golden.ts"
import { lossAndGradient } from "../../support/lossGradients.ts"
import { runtimes } from "../../support/runtimes.ts"

type Rows = ReadonlyArray<ReadonlyArray<number>>
interface Outcome {
  readonly loss: number
  readonly gradient: Rows
}
interface Taught extends Outcome {
  readonly logits: Rows
  readonly teacherLogits: Rows
  readonly temperature: number
}

const golden = readGolden<{
  decoupled: ReadonlyArray<Taught & { alpha: number; beta: number; labels: ReadonlyArray<number> }>
  soft: ReadonlyArray<Taught>
  binary: ReadonlyArray<Outcome & { logits: Rows; targets: Rows; reduction: ClassReduction }>
}>("losses")

const feedOf = (rows: Rows) => ({
  shape: [rows.length, rows[0]!.length],
  values: Float32Array.from(rows.flat())
})

/** What the teacher alone comes to; `through` is what logits of both go through first. */
const taught = (
  { logits, teacherLogits, temperature }: Omit<Taught, keyof Outcome>,
  targets: Rows,
  combination: Combination,
  through = (x: tf.Tensor) => x
) => ({
  at: feedOf(logits),
  given: { teacherLogits: feedOf(teacherLogits), targets: feedOf(targets) },
  loss: (x: tf.Tensor, given: Readonly<Record<string, tf.Tensor>>) =>
    distillationLoss({
      hard: tf.scalar(0),
      targets: given.targets as tf.Tensor2D,
      logits: through(x) as tf.Tensor2D,
      teacherLogits: through(given.teacherLogits!) as tf.Tensor2D,
      temperature,
      combination
    })
})

const assertOutcome = (found: { loss: number; gradient: ArrayLike<number> }, wanted: Outcome, scale = 1) => {
  assert.approximately(found.loss, wanted.loss, 2e-6 * scale)
  assertClose(found.gradient, wanted.gradient.flat(), 2e-5)
}

const alone = { form: "weighted", hardWeight: 0 } as const

for (const { name, skipped, layer } of runtimes) {
  describe(`on the ${name} runtime${skipped}`, () => {
    const test = (title: string, body: Effect.Effect<void, unknown, never>) =>
      it.effect.skipIf(skipped !== "")(title, () => body)

    for (const given of golden.soft) {
      test(
        `T² KL at T = ${given.temperature}`,
        Effect.gen(function* () {
          const found = yield* lossAndGradient(taught(given, given.logits, alone))
          // The loss is a small difference of two of size T² ln K.
          assertOutcome(found, given, given.temperature ** 2)
        }).pipe(Effect.provide(layer))
      )
    }

    for (const { alpha, beta, labels, ...given } of golden.decoupled) {
      test(
        `decoupled distillation at T = ${given.temperature}, alpha ${alpha}, beta ${beta}`,
        Effect.gen(function* () {
          // Mixed: the label is the class with the larger share.
          const targets = given.logits.map((row, at) =>
            row.map((_, k) => (k === labels[at] ? 0.6 : k === 0 ? 0.4 : 0))
          )
          const decoupled = { form: "decoupled", alpha, beta } as const
          const found = yield* lossAndGradient(taught(given, targets, decoupled))
          assertOutcome(found, given, Math.max(given.temperature ** 2, given.loss))
        }).pipe(Effect.provide(layer))
      )
    }

    for (const { reduction, targets, ...given } of golden.binary) {
      test(
        `binary cross-entropy, ${reduction} over classes, loss ${given.loss}`,
        Effect.gen(function* () {
          const found = yield* lossAndGradient({
            at: feedOf(given.logits),
            given: { targets: feedOf(targets) },
            loss: (x, fed) => binaryCrossEntropy(fed.targets as tf.Tensor2D, x as tf.Tensor2D, reduction)
          })
          assertOutcome(found, given, Math.max(1, given.loss))
        }).pipe(Effect.provide(layer))
      )
    }
  })
}

const native = runtimes[0]!

/** `[2, 32]` in sixteenths, which bfloat16 holds exactly. */
const sixteenths = (phase: number): Rows =>
  [0, 1].map((i) =>
    Array.from({ length: 32 }, (_, j) => Math.round(192 * Math.sin(phase + i + 2.3 * j)) / 16)
  )

const softmax = (row: ReadonlyArray<number>) => {
  const exponentials = row.map(Math.exp)
  const sum = exponentials.reduce((a, b) => a + b)
  return exponentials.map((value) => value / sum)
}

/** T² KL of the softened probabilities in double, at T = 20, mean over the rows. */
const divergence = (logits: Rows, teacherLogits: Rows): number => {
  const softened = (row: ReadonlyArray<number>) => softmax(row.map((value) => value / 20))
  const terms = teacherLogits.flatMap((row, i) => {
    const own = softened(logits[i]!)
    return softened(row).map((p, k) => p * Math.log(p / own[k]!))
  })
  return (400 * terms.reduce((sum, term) => sum + term, 0)) / logits.length
}

describe(`in bfloat16${native.skipped}`, () => {
  it.effect.skipIf(native.skipped !== "")(
    "logits that were computed low are compared in float32 at T = 20",
    () =>
      Effect.gen(function* () {
        const given = { logits: sixteenths(0.3), teacherLogits: sixteenths(1.1), temperature: 20 }
        // A convolution by the identity: computed in bfloat16, to the very same numbers.
        const low = (x: tf.Tensor) => {
          const filter = tf.reshape(tf.eye(32), [1, 1, 32, 32]) as tf.Tensor4D
          return tf.reshape(
            tf.conv2d(tf.reshape(x, [2, 1, 1, 32]) as tf.Tensor4D, filter, 1, "same"),
            [2, 32]
          )
        }
        const expected = divergence(given.logits, given.teacherLogits)
        const labels = given.logits.map((row) => row.map((_, k) => (k === 0 ? 1 : 0)))
        const { loss } = yield* lossAndGradient({
          ...taught(given, labels, alone, low),
          precision: "bfloat16"
        })
        assert.isAbove(expected, 10)
        assert.approximately(loss, expected, 2e-3)
      }).pipe(Effect.provide(native.layer))
  )
})
