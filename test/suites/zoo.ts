/**
 * A network against PyTorch's, with equal weights and pixels: logits in evaluation and in training, and the
 * gradients of all weights, on the native runtime. What PyTorch says is in `test/golden/zoo`, whose `make.py`
 * tells how to add a network.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Architecture } from "../../lib/models/Architecture.ts"
import { type Classifier, loadClassifier } from "../../lib/models/Classifier.ts"
import { BatchStatistics, evaluation } from "../../lib/nn/Mode.ts"
import { isTrainable, sizeOf, type WeightSpec, type Weights } from "../../lib/nn/Weights.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { makeVariables, type Variables } from "../../lib/train/variables.ts"
import { readGolden } from "../support/golden.ts"
import { native } from "../support/runtimes.ts"

export interface Golden {
  readonly batch: number
  readonly height: number
  readonly width: number
  readonly classes: number
  /** The name by which pixels are drawn. */
  readonly images: string
  readonly evaluation: ReadonlyArray<number>
  readonly training: ReadonlyArray<number>
  /** By the name of the weight: norm, sum, and values at equal distances. */
  readonly gradients: Readonly<Record<string, ReadonlyArray<number>>>
}

/** make.py's `numbers`: the same bits. */
export const numbers = (name: string, count: number, scale = 1, shift = 0): Float32Array => {
  let offset = 0x811c9dc5
  for (const letter of new TextEncoder().encode(name)) offset = Math.imul(offset ^ letter, 0x01000193)
  const values = new Float32Array(count)
  for (let i = 0; i < count; i++) {
    let x = (Math.imul(i, 0x9e3779b9) + offset) | 0
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
    x ^= x >>> 16
    values[i] = ((x >>> 8) / 2 ** 24 - 0.5) * scale + shift
  }
  return values
}

/** make.py's `fill`. */
const weightsOf = (specs: ReadonlyArray<WeightSpec>): Weights => {
  const layerOf = ({ name }: WeightSpec) => name.slice(0, name.lastIndexOf("."))
  const closing = new Set(specs.filter((spec) => spec.closesBranch === true).map(layerOf))
  return Object.fromEntries(
    specs.map((spec) => [
      spec.name,
      { shape: spec.shape, values: valuesOf(spec, closing.has(layerOf(spec))) }
    ])
  )
}

const valuesOf = ({ name, role, shape }: WeightSpec, closesBranch: boolean): Float32Array => {
  const size = sizeOf(shape)
  switch (role) {
    case "kernel":
      return numbers(name, size, Math.sqrt(24 / sizeOf(shape.slice(0, -1))))
    case "scale":
      return closesBranch ? numbers(name, size, 1 / 4, 1 / 4) : numbers(name, size, 1, 1)
    case "shift":
      return closesBranch ? numbers(name, size, 1 / 4) : numbers(name, size, 3, 2.5)
    case "running-variance":
      return numbers(name, size, 1, 1)
    case "bias":
    case "running-mean":
      return numbers(name, size)
  }
}

const SAMPLES = 3

/** make.py's `summary`, as a tensor. */
const summary = (gradient: tf.Tensor): tf.Tensor => {
  const flat = tf.reshape(gradient, [-1])
  const places = Int32Array.from({ length: SAMPLES }, (_, k) =>
    Math.floor(((2 * k + 1) * flat.size) / (2 * SAMPLES))
  )
  const norm = tf.sqrt(tf.sum(tf.square(flat)))
  return tf.concat([tf.reshape(norm, [1]), tf.reshape(tf.sum(flat), [1]), tf.gather(flat, places)])
}

const observing =
  (classifier: Classifier, variables: Variables, { batch, classes }: Golden) =>
  ({ images }: { readonly images: tf.Tensor }) => {
    const names = trainableNames(classifier)
    const factors = tf.tensor2d(numbers("factors", batch * classes), [batch, classes])
    const statistics = new BatchStatistics()
    let training: tf.Tensor | undefined
    const { grads } = tf.variableGrads(
      () => {
        const mode = { kind: "training", statistics } as const
        const logits = classifier.apply(variables, images as tf.Tensor4D, mode)
        training = tf.keep(tf.clone(logits))
        return tf.sum(tf.mul(logits, factors))
      },
      names.map((name) => variables[name]!)
    )
    statistics.take()
    return {
      evaluation: classifier.apply(variables, images as tf.Tensor4D, evaluation),
      training: training!,
      summaries: tf.stack(names.map((name) => summary(grads[variables[name]!.name]!)))
    }
  }

export const trainableNames = (classifier: Classifier): ReadonlyArray<string> =>
  classifier.weights.filter(isTrainable).map((spec) => spec.name)

/** Within `tolerance` of the largest. */
export const assertLogits = (actual: Float32Array, wanted: ReadonlyArray<number>, tolerance: number) => {
  assert.strictEqual(actual.length, wanted.length)
  const largest = wanted.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0)
  for (const [i, logit] of wanted.entries()) {
    assert.approximately(actual[i]!, logit, tolerance * largest, `logit ${i}`)
  }
}

type Gradients = Golden["gradients"]

/**
 * Below this, a gradient is what rounding leaves of sums that come to nothing, as of a bias that the next
 * normalisation takes away again.
 */
export const leastNorm = (gradients: Gradients): number => {
  const norms = Object.values(gradients).map(([norm]) => norm!)
  return norms.sort((a, b) => a - b)[Math.floor(norms.length / 2)]! / 100
}

/** All within a thousandth, sums at least of the norm, single values of the root mean square. */
const assertGradients = (
  specs: ReadonlyArray<WeightSpec>,
  summaries: Float32Array,
  gradients: Gradients
): void => {
  const least = leastNorm(gradients)
  for (const [index, { name, shape }] of specs.entries()) {
    const wanted = gradients[name]!
    const norm = Math.max(wanted[0]!, least)
    for (const [i, value] of wanted.entries()) {
      const scale = Math.max(Math.abs(value), i < 2 ? norm : norm / Math.sqrt(sizeOf(shape)))
      const actual = summaries[index * wanted.length + i]!
      assert.approximately(actual, value, 1e-3 * scale, `gradient of ${name}, number ${i}`)
    }
  }
}

/** `name` is that of the file in `test/golden/zoo`. */
export const zooSuite = (name: string, architecture: Architecture) =>
  it.live.skipIf(native.skipped !== "")(
    `${name} computes what PyTorch's does: logits in both modes, gradients of all weights${native.skipped}`,
    () =>
      Effect.gen(function* () {
        const golden = readGolden<Golden>("zoo", `${name}.json`)
        const { batch, classes: numClasses, height, width } = golden
        const classifier = yield* loadClassifier({ architecture, imageChannels: 3, numClasses })
        const variables = yield* makeVariables(weightsOf(classifier.weights))
        const step = yield* (yield* TensorRuntime).jit(observing(classifier, variables, golden), {
          inputs: { images: { shape: [batch, height, width, 3], dtype: "float32" } },
          precision: "float32"
        })
        const images = numbers(golden.images, batch * height * width * 3, 2)
        const { evaluation, summaries, training } = yield* step.run({ images })
        assertLogits(evaluation as Float32Array, golden.evaluation, 1e-4)
        assertLogits(training as Float32Array, golden.training, 1e-4)
        assert.sameMembers(Object.keys(golden.gradients), trainableNames(classifier) as Array<string>)
        const specs = classifier.weights.filter(isTrainable)
        assertGradients(specs, summaries as Float32Array, golden.gradients)
      }).pipe(Effect.scoped, Effect.provide(native.layer)),
    120_000
  )
