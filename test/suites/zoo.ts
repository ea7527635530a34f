/**
 * A network against PyTorch's, with equal weights and pixels: logits in training and in evaluation, and the
 * gradients of all weights, on the native runtime. What PyTorch says in float64 is in `test/golden/zoo`,
 * whose `make.py` tells how to add a network, and why the rule for weights and pixels is as it is.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Architecture } from "../../lib/models/Architecture.ts"
import { type Classifier, loadClassifier } from "../../lib/models/Classifier.ts"
import { BatchStatistics, evaluation } from "../../lib/nn/Mode.ts"
import { isTrainable } from "../../lib/nn/Weights.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { makeVariables, type Variables } from "../../lib/train/variables.ts"
import { readGolden } from "../support/golden.ts"
import { native } from "../support/runtimes.ts"
import { numbers, sketch, type Unread, zooImages, zooWeights } from "../support/zooPoint.ts"

interface Golden {
  readonly batch: number
  readonly height: number
  readonly width: number
  readonly classes: number
  /** Inputs to which a kernel gives no weight. */
  readonly unread?: Unread
  readonly evaluation: ReadonlyArray<number>
  /** Those of the auxiliary classifier, where there is one, behind the others. */
  readonly training: ReadonlyArray<number>
  readonly gradients: Readonly<Record<string, GradientSketch>>
}

interface GradientSketch {
  /** What errors are measured by: the gradient's norm, but for some shifts. */
  readonly scale: number
  readonly sketch: ReadonlyArray<number>
}

/** Of the auxiliary classifier's loss. */
const AUXILIARY = 0.4
/** Relative errors, by Euclidean norms: make.py's LOGITS and GRADIENTS. */
const [LOGITS, GRADIENTS] = [1e-4, 1e-3]

type TrainingOutputs = "logits" | `gradient of ${string}` | `statistic ${string}`

const gradientOf = (name: string) => `gradient of ${name}` as const
const statisticOf = (name: string) => `statistic ${name}` as const

/** Logits, gradients, and the batch's statistics. */
const training =
  (classifier: Classifier, variables: Variables, { batch, classes }: Golden) =>
  ({ images }: { readonly images: tf.Tensor }): Record<TrainingOutputs, tf.Tensor> => {
    const factors = tf.tensor2d(numbers("factors", batch * classes), [batch, classes])
    const statistics = new BatchStatistics()
    const names = trainableNames(classifier)
    let all: tf.Tensor | undefined
    const { grads } = tf.variableGrads(
      () => {
        const logits = trainingLogits(classifier, variables, images as tf.Tensor4D, statistics)
        all = tf.keep(tf.concat([...logits]))
        const losses = logits.map((each, index) =>
          tf.mul(tf.sum(tf.mul(each, factors)), index === 0 ? 1 : AUXILIARY)
        )
        return tf.addN(losses) as tf.Scalar
      },
      names.map((name) => variables[name]!)
    )
    return {
      logits: all!,
      ...Object.fromEntries(names.map((name) => [gradientOf(name), grads[variables[name]!.name]!])),
      ...Object.fromEntries(statistics.take().map(([name, value]) => [statisticOf(name), value]))
    }
  }

/** The classifier's, and those of an auxiliary one. */
const trainingLogits = (
  classifier: Classifier,
  variables: Variables,
  images: tf.Tensor4D,
  statistics: BatchStatistics
): ReadonlyArray<tf.Tensor2D> => {
  const mode = { kind: "training", statistics } as const
  if (classifier.auxiliary === undefined) return [classifier.apply(variables, images, mode)]
  const { auxiliary, logits } = classifier.auxiliary.apply(variables, images, mode)
  return [logits, auxiliary]
}

const trainableNames = (classifier: Classifier): ReadonlyArray<string> =>
  classifier.weights.filter(isTrainable).map((spec) => spec.name)

const distance = (actual: ArrayLike<number>, wanted: ReadonlyArray<number>): number =>
  Math.hypot(...wanted.map((value, index) => actual[index]! - value))

const assertLogits = (actual: ArrayLike<number>, wanted: ReadonlyArray<number>, what: string): void => {
  assert.strictEqual(actual.length, wanted.length)
  assert.isAtMost(distance(actual, wanted) / Math.hypot(...wanted), LOGITS, `logits of ${what}`)
}

const observed = Effect.fn("zooSuite.observed")(function* (classifier: Classifier, golden: Golden) {
  const { batch, height, width } = golden
  const shape = [batch, height, width, 3] as const
  const { jit } = yield* TensorRuntime
  const inputs = { images: { shape, dtype: "float32" } } as const
  const weights = zooWeights(classifier.weights, golden.unread)
  const variables = yield* makeVariables(weights)
  const learn = yield* jit<"images", TrainingOutputs>(training(classifier, variables, golden), {
    inputs,
    precision: "float32"
  })
  const found = yield* learn.run({ images: zooImages("training", shape) })
  // What a running statistic is after one batch, if nothing of what it was before is kept.
  const statistics = yield* makeVariables(
    Object.fromEntries(
      classifier.weights
        .filter((spec) => !isTrainable(spec))
        .map(({ name, shape }) => [name, { shape, values: found[statisticOf(name)] as Float32Array }])
    )
  )
  const tell = yield* jit<"images", "logits">(
    ({ images }) => ({
      logits: classifier.apply({ ...variables, ...statistics }, images as tf.Tensor4D, evaluation)
    }),
    { inputs, precision: "float32" }
  )
  const { logits } = yield* tell.run({ images: zooImages("evaluation", shape) })
  return { found, evaluation: logits }
})

/** `name` is that of the file in `test/golden/zoo`. */
export const zooSuite = (name: string, architecture: Architecture) =>
  it.live.skipIf(native.skipped !== "")(
    `${name} computes what PyTorch's does: logits in both modes, gradients of all weights${native.skipped}`,
    () =>
      Effect.gen(function* () {
        const golden = readGolden<Golden>("zoo", `${name}.json`)
        const { classes: numClasses, gradients } = golden
        const classifier = yield* loadClassifier({ architecture, imageChannels: 3, numClasses })
        const { evaluation, found } = yield* observed(classifier, golden)
        assertLogits(found.logits, golden.training, "training")
        assertLogits(evaluation, golden.evaluation, "evaluation")
        const names = trainableNames(classifier)
        assert.sameMembers(Object.keys(gradients), [...names])
        for (const weight of names) {
          const { scale, sketch: wanted } = gradients[weight]!
          const gradient = found[gradientOf(weight)] as Float32Array
          const error = distance(sketch(weight, gradient), wanted) / scale
          assert.isAtMost(error, GRADIENTS, `error of the gradient of ${weight}`)
        }
      }).pipe(Effect.scoped, Effect.provide(native.layer)),
    120_000
  )
