/**
 * Every differentiable kernel of a convolutional net against finite differences, on both runtimes: the
 * gradient that tfjs's tape and our kernels give, along a random direction, must be the slope of the loss
 * along it.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { maxPoolHalving } from "../../../lib/nn/max-pool.ts"
import { repeatTwice, resizeBilinear } from "../../../lib/nn/upsample.ts"
import { batchNormInference, batchNormTraining } from "../../../lib/tensor/batch-norm.ts"
import { globalMean } from "../../../lib/tensor/global-mean.ts"
import { type TensorError, TensorRuntime, type TensorSpec } from "../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { softmaxCrossEntropy } from "../../../lib/tensor/softmax-cross-entropy.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { runtimes } from "../../support/runtimes.ts"

interface Case {
  readonly name: string
  readonly shapes: ReadonlyArray<ReadonlyArray<number>>
  readonly apply: (...inputs: Array<never>) => tf.Tensor
  /** Kernels with kinks need inputs that stay clear of them: evenly spaced values in random order. */
  readonly kinked?: boolean
}

type T4 = tf.Tensor4D

const image = [2, 6, 7, 3]
/** Near -3, 0 and 3 in turn, so that what is normalised stays clear of an activation's kinks. */
const apart = (x: T4): T4 => {
  const thirds = Float32Array.from({ length: x.size }, (_, index) => ((index % 7) % 3) * 3 - 3)
  return around(tf.tensor4d(thirds, x.shape), x)
}
const around = <T extends tf.Tensor>(center: number | tf.Tensor, x: T): T => tf.add(center, tf.mul(x, 0.2))
const given = () => ({ mean: tf.tensor1d([0.1, 0, -0.1]), variance: tf.tensor1d([1, 2, 0.5]) })
const cases: ReadonlyArray<Case> = [
  { name: "conv2d same", shapes: [image, [3, 3, 3, 4]], apply: (x: T4, w: T4) => tf.conv2d(x, w, 1, "same") },
  {
    name: "conv2d stride 2 same",
    shapes: [image, [3, 3, 3, 4]],
    apply: (x: T4, w: T4) => tf.conv2d(x, w, 2, "same")
  },
  {
    name: "conv2d stride 2 valid",
    shapes: [image, [3, 2, 3, 4]],
    apply: (x: T4, w: T4) => tf.conv2d(x, w, 2, "valid")
  },
  {
    name: "conv2d 1x1 stride 2",
    shapes: [image, [1, 1, 3, 5]],
    apply: (x: T4, w: T4) => tf.conv2d(x, w, 2, "same")
  },
  {
    name: "conv2d 5x5 padded",
    shapes: [image, [5, 5, 3, 2]],
    apply: (x: T4, w: T4) => tf.conv2d(x, w, 1, 2)
  },
  {
    name: "conv2d stride 2 padded on one side",
    shapes: [image, [3, 3, 3, 2]],
    apply: (x: T4, w: T4) =>
      tf.conv2d(
        x,
        w,
        [2, 1],
        [
          [0, 0],
          [1, 0],
          [0, 1],
          [0, 0]
        ]
      )
  },
  {
    name: "depthwiseConv2d",
    shapes: [image, [3, 3, 3, 2]],
    apply: (x: T4, w: T4) => tf.depthwiseConv2d(x, w, 1, "same")
  },
  {
    name: "depthwiseConv2d stride 2",
    shapes: [image, [3, 3, 3, 1]],
    apply: (x: T4, w: T4) => tf.depthwiseConv2d(x, w, 2, "same")
  },
  {
    name: "depthwiseConv2d stride 2 padded on one side",
    shapes: [image, [3, 3, 3, 1]],
    apply: (x: T4, w: T4) =>
      tf.depthwiseConv2d(x, w, 2, [
        [0, 0],
        [1, 0],
        [1, 1],
        [0, 0]
      ])
  },
  {
    name: "fused batch norm",
    shapes: [image, [3], [3]],
    apply: (x: T4, g: tf.Tensor1D, b: tf.Tensor1D) => batchNormTraining(x, g, b, 1e-3).y
  },
  {
    name: "fused batch norm, relu",
    shapes: [image, [3], [3]],
    apply: (x: T4, g: tf.Tensor1D, b: tf.Tensor1D) =>
      batchNormTraining(apart(x), around(4, g), around(2, b), 1e-3, { activation: "relu" }).y
  },
  {
    name: "fused batch norm, residual, relu6",
    shapes: [image, [3], [3], image],
    apply: (x: T4, g: tf.Tensor1D, b: tf.Tensor1D, r: T4) =>
      batchNormTraining(apart(x), around(6, g), around(3, b), 1e-3, {
        activation: "relu6",
        residual: around(0, r)
      }).y
  },
  {
    name: "fused batch norm, residual without activation",
    shapes: [image, [3], [3], image],
    apply: (x: T4, g: tf.Tensor1D, b: tf.Tensor1D, residual: T4) =>
      batchNormTraining(x, g, b, 1e-3, { residual }).y
  },
  {
    name: "fused batch norm with given statistics, residual, relu",
    shapes: [image, [3], [3], image],
    apply: (x: T4, g: tf.Tensor1D, b: tf.Tensor1D, r: T4) =>
      batchNormInference(apart(x), around(1, g), around(1, b), given(), 1e-3, {
        activation: "relu",
        residual: around(0, r)
      })
  },
  {
    name: "fused batch norm with given statistics",
    shapes: [image, [3], [3]],
    apply: (x: T4, g: tf.Tensor1D, b: tf.Tensor1D) => batchNormInference(x, g, b, given(), 1e-3)
  },
  {
    name: "batch norm with given statistics",
    shapes: [image, [3], [3]],
    apply: (x: T4, g: tf.Tensor1D, b: tf.Tensor1D) =>
      tf.batchNorm(x, tf.tensor1d([0.1, 0, -0.1]), tf.tensor1d([1, 2, 0.5]), b, g, 1e-3)
  },
  { name: "relu", shapes: [[5, 7]], kinked: true, apply: (x: tf.Tensor) => tf.relu(x) },
  { name: "relu6", shapes: [[5, 7]], kinked: true, apply: (x: tf.Tensor) => tf.relu6(tf.mul(x, 7.5)) },
  { name: "leakyRelu", shapes: [[5, 7]], kinked: true, apply: (x: tf.Tensor) => tf.leakyRelu(x, 0.1) },
  { name: "sigmoid, tanh", shapes: [[5, 7]], apply: (x: tf.Tensor) => tf.mul(tf.sigmoid(x), tf.tanh(x)) },
  { name: "maxPool same", shapes: [image], kinked: true, apply: (x: T4) => tf.maxPool(x, 3, 2, "same") },
  { name: "maxPool valid", shapes: [image], kinked: true, apply: (x: T4) => tf.maxPool(x, 2, 2, "valid") },
  {
    name: "maxPool overlapping",
    shapes: [image],
    kinked: true,
    apply: (x: T4) => tf.maxPool(x, 3, 1, "same")
  },
  { name: "avgPool", shapes: [image], apply: (x: T4) => tf.avgPool(x, 2, 2, "same") },
  { name: "mean", shapes: [image], apply: (x: T4) => tf.mean(x, [1, 2]) },
  { name: "global mean", shapes: [image], apply: (x: T4) => globalMean(x) },
  { name: "global mean, many channels", shapes: [[2, 3, 2, 85]], apply: (x: T4) => globalMean(x) },
  {
    name: "matMul transposed",
    shapes: [
      [4, 5],
      [3, 5]
    ],
    apply: (a: tf.Tensor2D, b: tf.Tensor2D) => tf.matMul(a, b, false, true)
  },
  {
    name: "batched matMul",
    shapes: [
      [2, 4, 5],
      [2, 5, 3]
    ],
    apply: (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b)
  },
  {
    name: "broadcast add and mul",
    shapes: [image, [3]],
    apply: (x: T4, b: tf.Tensor1D) => tf.mul(tf.add(x, b), b)
  },
  { name: "softmax", shapes: [[4, 6]], apply: (x: tf.Tensor2D) => tf.softmax(x) },
  { name: "logSoftmax", shapes: [[4, 6]], apply: (x: tf.Tensor2D) => tf.logSoftmax(x) },
  {
    name: "softmaxCrossEntropy",
    shapes: [[4, 6]],
    apply: (x: tf.Tensor2D) =>
      softmaxCrossEntropy(tf.softmax(tf.linspace(0, 5, 24).reshape([4, 6])) as tf.Tensor2D, x)
  },
  {
    name: "pad, slice, concat",
    shapes: [
      [2, 6],
      [2, 6]
    ],
    apply: (a: tf.Tensor2D, b: tf.Tensor2D) =>
      tf.slice(
        tf.concat(
          [
            tf.pad(a, [
              [0, 0],
              [1, 2]
            ]),
            tf.square(b)
          ],
          1
        ),
        [0, 2],
        [2, 9]
      )
  },
  {
    name: "transpose, reshape",
    shapes: [image],
    apply: (x: T4) => tf.square(tf.reshape(tf.transpose(x, [3, 0, 2, 1]), [6, 42]))
  },
  {
    name: "gather",
    shapes: [[5, 3]],
    apply: (x: tf.Tensor2D) => tf.gather(tf.square(x), tf.tensor1d([0, 2, 2], "int32"))
  },
  {
    name: "div, exp, log, sqrt",
    shapes: [[5, 7]],
    apply: (x: tf.Tensor) => tf.div(tf.exp(x), tf.sqrt(tf.log(tf.add(tf.square(x), 2))))
  },
  {
    name: "resizeBilinear",
    shapes: [[1, 4, 4, 2]],
    apply: (x: T4) => tf.image.resizeBilinear(x, [7, 6])
  },
  {
    name: "resizeBilinear aligned at the corners",
    shapes: [[2, 3, 4, 2]],
    apply: (x: T4) => tf.image.resizeBilinear(x, [7, 5], true)
  },
  {
    name: "resizeBilinear with half-pixel centres",
    shapes: [[2, 3, 4, 2]],
    apply: (x: T4) => resizeBilinear(x, 13, 9)
  },
  {
    name: "resizeBilinear to fewer cells",
    shapes: [[2, 7, 9, 1]],
    apply: (x: T4) => resizeBilinear(x, 3, 4)
  },
  { name: "repeatTwice", shapes: [[2, 3, 4, 2]], apply: (x: T4) => repeatTwice(x, 6, 8) },
  { name: "repeatTwice, odd", shapes: [[2, 3, 4, 2]], apply: (x: T4) => repeatTwice(x, 5, 7) },
  { name: "maxPoolHalving, even", shapes: [[2, 6, 8, 2]], kinked: true, apply: (x: T4) => maxPoolHalving(x) },
  { name: "maxPoolHalving, odd", shapes: [[2, 5, 8, 2]], kinked: true, apply: (x: T4) => maxPoolHalving(x) },
  {
    name: "stack, unstack, tile",
    shapes: [[3, 4]],
    apply: (x: tf.Tensor) => tf.tile(tf.stack(tf.unstack(tf.square(x), 0), 1), [2, 1])
  }
]

/** Half of the distance over which the slope is measured. */
const H = 2e-2

const size = (shape: ReadonlyArray<number>): number => shape.reduce((product, length) => product * length, 1)

const inputsOf = ({ name, shapes, kinked = false }: Case): ReadonlyArray<Float32Array> =>
  shapes.map((shape, index) => {
    const random = RandomStream.make(11, name, index)
    const count = size(shape)
    if (!kinked) return Float32Array.from({ length: count }, () => random.gaussian())
    const order = random.permutation(count)
    return Float32Array.from(order, (place) => (place - Math.floor(count / 2) + 0.5) * 0.1)
  })

const slope = (
  kind: Case
): Effect.Effect<{ measured: number; derived: number }, TensorError, TensorRuntime> =>
  Effect.gen(function* () {
    const runtime = yield* TensorRuntime
    const specs = Object.fromEntries(
      kind.shapes.map((shape, index): [string, TensorSpec] => [`x${index}`, { shape, dtype: "float32" }])
    )
    const compiled = yield* runtime.jit(
      (inputs: { readonly [name: string]: tf.Tensor }) => {
        const xs = kind.shapes.map((_, index) => inputs[`x${index}`]!)
        const loss = (...values: Array<tf.Tensor>): tf.Tensor =>
          weighted(kind, kind.apply(...(values as Array<never>)))
        const { value, grads } = tf.valueAndGrads(loss)(xs)
        return Object.fromEntries([["loss", value], ...grads.map((grad, index) => [`x${index}`, grad])])
      },
      { inputs: specs, precision: "float32" }
    )
    const inputs = inputsOf(kind)
    const direction = inputs.map((values, index) => {
      const random = RandomStream.make(12, kind.name, index)
      return values.map(() => random.between(-1, 1))
    })
    const at = (step: number) =>
      compiled.run(
        Object.fromEntries(
          inputs.map((values, index) => [
            `x${index}`,
            values.map((value, i) => value + step * direction[index]![i]!)
          ])
        )
      )
    const here = yield* at(0)
    const plus = (yield* at(H)).loss![0]!
    const minus = (yield* at(-H)).loss![0]!
    const derived = direction.reduce(
      (sum, along, index) => sum + along.reduce((part, value, i) => part + value * here[`x${index}`]![i]!, 0),
      0
    )
    return { measured: (plus - minus) / (2 * H), derived }
  }).pipe(Effect.scoped)

/** A sum with uneven weights: an even one would hide errors that cancel out (as all of batch norm's do). */
const weighted = ({ name }: Case, y: tf.Tensor): tf.Tensor => {
  const random = RandomStream.make(13, name)
  const weights = Float32Array.from({ length: y.size }, () => random.between(-1, 1))
  return tf.sum(tf.mul(y, tf.tensor(weights, y.shape)))
}

for (const { name, skipped, layer } of runtimes) {
  describe(`gradients on the ${name} runtime${skipped}`, () => {
    for (const kind of cases) {
      it.effect.skipIf(skipped !== "")(kind.name, () =>
        Effect.gen(function* () {
          const { measured, derived } = yield* slope(kind)
          // Curvature and rounding over a distance of 0.04; wrong kernels are off by 20 % and more.
          expect(Math.abs(measured - derived)).toBeLessThan(0.01 * (1 + Math.abs(derived)))
        }).pipe(Effect.provide(layer))
      )
    }
  })
}
