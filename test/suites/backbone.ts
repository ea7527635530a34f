/**
 * What every backbone must keep: the promised shapes, a gradient for every weight, no talk between images,
 * the same logits on every runtime.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../infra/tensorflow/portable/wasm.ts"
import type { Architecture } from "../../lib/models/Architecture.ts"
import { type FeatureName, type FeatureSpec, featureExtent } from "../../lib/models/Backbone.ts"
import { loadBackbone } from "../../lib/models/backbones/index.ts"
import { makeClassifier } from "../../lib/models/Classifier.ts"
import { decodeWeights, encodeWeights } from "../../lib/models/weights.ts"
import { initializeWeights } from "../../lib/nn/initializers.ts"
import { BatchStatistics, evaluation } from "../../lib/nn/Mode.ts"
import { isTrainable, type Weights, type WeightTensors } from "../../lib/nn/Weights.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { makeVariables } from "../../lib/train/variables.ts"
import { native, portable } from "../support/runtimes.ts"

const random = RandomStream.make(5, "backbone suite")
const noise = (shape: [number, number, number, number]) =>
  tf.tensor4d(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.gaussian()),
    shape
  )

const tensorsOf = (weights: Weights): WeightTensors =>
  Object.fromEntries(
    Object.entries(weights).map(([name, { shape, values }]) => [name, tf.tensor(values.slice(), [...shape])])
  )

export interface BackboneCase {
  readonly architecture: Architecture
  /** Of the images, which are squares of `size` pixels; keep both small. */
  readonly channels: number
  readonly size: number
}

const prepare = ({ architecture, channels }: BackboneCase) =>
  Effect.gen(function* () {
    const backbone = yield* loadBackbone(architecture, channels)
    const classifier = makeClassifier(backbone, 3)
    const weights = initializeWeights(classifier.weights, "he-normal-fan-out", RandomStream.make(1, "w"))
    return { backbone, classifier, weights }
  })

export const backboneSuite = (name: string, options: BackboneCase) =>
  describe(name, () => {
    beforeAll(() => Effect.runPromise(startWasm))
    shapesAndGradients(options)
    imagesAndFiles(options)
    runtimesAgree(options)
  })

const shapesAndGradients = (options: BackboneCase) => {
  const { channels, size } = options
  const prepared = prepare(options)

  it.effect("gives the promised features in their promised shapes, on even and odd sizes", () =>
    Effect.map(prepared, ({ backbone, weights }) => {
      for (const pixels of [size, size + 1]) {
        const images = noise([2, pixels, pixels, channels])
        const features = tf.tidy(() => backbone.apply(tensorsOf(weights), images, evaluation))
        assert.sameMembers(Object.keys(features), Object.keys(backbone.features))
        for (const [feature, spec] of Object.entries(backbone.features) as Array<
          [FeatureName, FeatureSpec]
        >) {
          const cells = featureExtent(spec, pixels)
          assert.deepStrictEqual(features[feature]!.shape, [2, cells, cells, spec.channels])
        }
        tf.dispose([images, Object.values(features)])
      }
    })
  )

  it.effect("names every weight once", () =>
    Effect.map(prepared, ({ classifier, weights }) =>
      assert.strictEqual(Object.keys(weights).length, classifier.weights.length)
    )
  )

  it.effect("sends a gradient to every trainable weight and a statistic to every running one", () =>
    Effect.map(prepared, ({ classifier, weights }) => {
      tf.tidy(() => {
        const tensors = tensorsOf(weights)
        const names = classifier.weights.filter(isTrainable).map((spec) => spec.name)
        const statistics = new BatchStatistics()
        const images = noise([4, size, size, channels])
        const gradients = tf.grads((...trainable: Array<tf.Tensor>) => {
          const changed = Object.fromEntries(names.map((weight, index) => [weight, trainable[index]!]))
          const logits = classifier.apply({ ...tensors, ...changed }, images, {
            kind: "training",
            statistics
          })
          return tf.sum(tf.square(logits))
        })(names.map((weight) => tensors[weight]!))
        for (const [index, gradient] of gradients.entries()) {
          assert.isAbove(tf.max(tf.abs(gradient)).dataSync()[0]!, 0, `no gradient reaches ${names[index]}`)
        }
        assert.sameMembers(
          statistics.take().map(([statistic]) => statistic),
          classifier.weights.filter((spec) => !isTrainable(spec)).map((spec) => spec.name)
        )
      })
    })
  )
}

const imagesAndFiles = (options: BackboneCase) => {
  const { channels, size } = options
  const prepared = prepare(options)

  it.effect("evaluates each image by itself", () =>
    Effect.map(prepared, ({ classifier, weights }) =>
      tf.tidy(() => {
        const tensors = tensorsOf(weights)
        const images = noise([3, size, size, channels])
        const together = classifier.apply(tensors, images, evaluation).arraySync()
        const alone = classifier.apply(tensors, tf.slice(images, [1, 0, 0, 0], [1, -1, -1, -1]), evaluation)
        for (const [k, logit] of alone.arraySync()[0]!.entries())
          assert.approximately(logit, together[1]![k]!, 1e-4)
      })
    )
  )

  it.effect("gives the same logits after saving and loading", () =>
    Effect.gen(function* () {
      const { classifier, weights } = yield* prepared
      const loaded = yield* decodeWeights(encodeWeights(weights), classifier.weights)
      tf.tidy(() => {
        const images = noise([1, size, size, channels])
        const logitsOf = (those: Weights) => classifier.apply(tensorsOf(those), images, evaluation).dataSync()
        assert.deepStrictEqual(logitsOf(loaded), logitsOf(weights))
      })
    })
  )
}

/** Of the largest logit: sums of thousands of float32 in another order. */
const runtimeTolerance = 1e-4

const logitsOf = (options: BackboneCase, images: Float32Array) =>
  Effect.gen(function* () {
    const { classifier, weights } = yield* prepare(options)
    const variables = yield* makeVariables(weights)
    const { channels, size } = options
    const step = yield* (yield* TensorRuntime).jit(
      ({ images }) => ({ logits: classifier.apply(variables, images as tf.Tensor4D, evaluation) }),
      {
        inputs: { images: { shape: [2, size, size, channels], dtype: "float32" } },
        precision: "float32"
      }
    )
    return (yield* step.run({ images })).logits as Float32Array
  })

const runtimesAgree = (options: BackboneCase) =>
  it.live.skipIf(native.skipped !== "")(
    `gives the same logits on the native and the portable runtime${native.skipped}`,
    () =>
      Effect.gen(function* () {
        const { channels, size } = options
        const images = Float32Array.from({ length: 2 * size * size * channels }, () => random.gaussian())
        const [fast, slow] = yield* Effect.all(
          [native, portable].map(({ layer }) =>
            Effect.provide(Effect.scoped(logitsOf(options, images)), layer)
          )
        )
        const largest = slow!.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0)
        for (const [index, logit] of slow!.entries()) {
          assert.approximately(fast![index]!, logit, runtimeTolerance * largest, `logit ${index}`)
        }
      })
  )
