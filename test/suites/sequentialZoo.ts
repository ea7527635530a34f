/**
 * A network without shortcuts against PyTorch's, with equal weights and pixels: logits in evaluation and in
 * training, and the gradients of all weights, on the native runtime. What PyTorch says is in
 * `test/golden/zoo`, written by `sequential.py`.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Architecture } from "../../lib/models/Architecture.ts"
import { type Classifier, loadClassifier } from "../../lib/models/Classifier.ts"
import { BatchStatistics, evaluation } from "../../lib/nn/Mode.ts"
import { sizeOf, type WeightSpec } from "../../lib/nn/Weights.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { makeVariables, type Variables } from "../../lib/train/variables.ts"
import { readGolden } from "../support/golden.ts"
import { native } from "../support/runtimes.ts"
import { assertLogits, type Golden, leastNorm, numbers, trainableNames } from "./zoo.ts"

/** Gradients by their norm and projections. Training logits are those of an auxiliary classifier, too. */
interface SequentialGolden extends Golden {
  /** Added to the shifts of normalisations. */
  readonly lift: number
  /** Whether a tenth of the channels behind depthwise convolutions lies beyond a ReLU6's upper corner. */
  readonly saturated: boolean
}

/** sequential.py's `fill`. */
const valuesOf = ({ name, role, shape }: WeightSpec, { lift, saturated }: SequentialGolden): Float32Array => {
  const size = sizeOf(shape)
  switch (role) {
    case "kernel":
      return numbers(name, size, Math.sqrt(12 / sizeOf(shape.slice(0, -1))))
    case "scale":
      return numbers(name, size, 1 / 2, 1 / 2)
    case "shift": {
      const values = numbers(name, size, 1, lift)
      const beyond = (value: number) => (value > 1.4 ? value + 9 : value)
      return saturated && /^blocks.*bn1.bias$/.test(name) ? values.map(beyond) : values
    }
    case "running-variance":
      return numbers(name, size, 1 / 4, 1 / 4)
    case "bias":
    case "running-mean":
      return numbers(name, size)
  }
}

/** Of the pattern that gradients are projected on. */
const [PERIOD, PROJECTIONS] = [1021, 4]
/** Of the factors of an auxiliary classifier's logits. */
const AUXILIARY = 0.4

/** sequential.py's `summary`, as a tensor. */
const summary = (gradient: tf.Tensor, patterns: tf.Tensor2D): tf.Tensor1D => {
  const flat = tf.reshape(gradient, [gradient.size]) as tf.Tensor1D
  const rest = (PERIOD - (flat.size % PERIOD)) % PERIOD
  const folded = tf.sum(tf.reshape(tf.pad1d(flat, [0, rest]), [-1, PERIOD]), 0, true) as tf.Tensor2D
  const norm = tf.reshape(tf.sqrt(tf.sum(tf.square(flat))), [1])
  return tf.concat([norm, tf.reshape(tf.matMul(folded, patterns), [PROJECTIONS])]) as tf.Tensor1D
}

const observing =
  (classifier: Classifier, variables: Variables, { batch, classes }: SequentialGolden) =>
  ({ images }: { readonly images: tf.Tensor }) => {
    const names = trainableNames(classifier)
    const factors = tf.tensor2d(numbers("factors", batch * classes), [batch, classes])
    const deviates = numbers("patterns", PERIOD * PROJECTIONS, Math.sqrt(12))
    const patterns = tf.tensor2d(deviates, [PERIOD, PROJECTIONS])
    const statistics = new BatchStatistics()
    let training: tf.Tensor | undefined
    const { grads } = tf.variableGrads(
      () => {
        const logits = trainingLogits(classifier, variables, images as tf.Tensor4D, statistics)
        training = tf.keep(tf.concat(logits.map((each) => tf.clone(each))))
        const sums = logits.map((each, index) =>
          tf.mul(tf.sum(tf.mul(each, factors)), index === 0 ? 1 : AUXILIARY)
        )
        return tf.addN(sums) as tf.Scalar
      },
      names.map((name) => variables[name]!)
    )
    statistics.take()
    return {
      evaluation: classifier.apply(variables, images as tf.Tensor4D, evaluation),
      training: training!,
      summaries: tf.stack(names.map((name) => summary(grads[variables[name]!.name]!, patterns)))
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

export interface SequentialZooOptions {
  /** For the gradient of a weight, as a share of its norm; a thousandth if not said. */
  readonly tolerance?: (weight: string) => number
}

/** `name` is that of the file in `test/golden/zoo`. */
export const sequentialZooSuite = (
  name: string,
  architecture: Architecture,
  { tolerance = () => 1e-3 }: SequentialZooOptions = {}
) =>
  it.live.skipIf(native.skipped !== "")(
    `${name} computes what PyTorch's does: logits in both modes, gradients of all weights${native.skipped}`,
    () =>
      Effect.gen(function* () {
        const golden = readGolden<SequentialGolden>("zoo", `${name}.json`)
        const { batch, classes: numClasses, gradients, height, width } = golden
        const classifier = yield* loadClassifier({ architecture, imageChannels: 3, numClasses })
        const weights = classifier.weights.map((spec) => [
          spec.name,
          { ...spec, values: valuesOf(spec, golden) }
        ])
        const variables = yield* makeVariables(Object.fromEntries(weights))
        const step = yield* (yield* TensorRuntime).jit(observing(classifier, variables, golden), {
          inputs: { images: { shape: [batch, height, width, 3], dtype: "float32" } },
          precision: "float32"
        })
        const images = numbers(golden.images, batch * height * width * 3, 2)
        const { evaluation, summaries, training } = yield* step.run({ images })
        assertLogits(evaluation as Float32Array, golden.evaluation, 1e-4)
        assertLogits(training as Float32Array, golden.training, 1e-4)
        const names = trainableNames(classifier)
        assert.sameMembers(Object.keys(gradients), [...names])
        const least = leastNorm(gradients)
        for (const [index, weight] of names.entries()) {
          const wanted = gradients[weight]!
          const allowed = tolerance(weight) * Math.max(wanted[0]!, least)
          for (const [i, value] of wanted.entries()) {
            const actual = summaries[index * wanted.length + i]!
            assert.approximately(actual, value, allowed, `gradient of ${weight}, number ${i}`)
          }
        }
      }).pipe(Effect.scoped, Effect.provide(native.layer)),
    120_000
  )
