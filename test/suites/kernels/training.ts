/** What only training needs: normalisations, losses, the optimizer's step. */
import { activated, batchNormInference, batchNormTraining } from "../../../lib/tensor/batch-norm.ts"
import { globalMean } from "../../../lib/tensor/global-mean.ts"
import { composedSgdStep, type SgdInputs, sgdStep } from "../../../lib/tensor/sgd.ts"
import { softmaxCrossEntropy } from "../../../lib/tensor/softmax-cross-entropy.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { between, type CaseInput, type KernelCase, normal } from "./KernelCase.ts"
import type { KernelGroup } from "./KernelProperty.ts"

type Shape = ReadonlyArray<number>

/** Written with single operations, whose gradients the tape gives. */
const normalised = (x: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D): ReadonlyArray<tf.Tensor> => {
  const mean = tf.mean(x, [0, 1, 2])
  const squares = tf.square(tf.sub(x, mean))
  const deviation = tf.sqrt(tf.add(tf.mean(squares, [0, 1, 2]), EPSILON))
  return [tf.add(tf.mul(tf.div(tf.sub(x, mean), deviation), gamma), beta)]
}
const EPSILON = 1e-3

const trained = (name: string, shape: Shape): KernelCase => {
  const channels = shape[3]!
  return {
    name: `batchNormTraining, ${name}`,
    inputs: [normal(...shape), between(0.5, 1.5, [channels]), normal(channels)],
    apply: (x: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D) =>
      batchNormTraining(x, gamma, beta, EPSILON).y,
    reference: normalised,
    gradient: "reference",
    heavy: true
  }
}

const statistics: KernelCase = {
  name: "batchNormTraining, statistics of the batch",
  inputs: [normal(2, 3, 4, 3)],
  apply: (x: tf.Tensor4D) => {
    const { mean, variance } = batchNormTraining(x, tf.ones([3]), tf.zeros([3]), EPSILON)
    return [mean, variance]
  },
  reference: (x: tf.Tensor4D) => {
    const { mean, variance } = tf.moments(x, [0, 1, 2])
    return [mean, tf.mul(variance, 24 / 23)]
  },
  gradient: "none"
}

/** Near -3, 0 and 3 in turn, so that what is normalised stays clear of an activation's kinks. */
const apart = (x: tf.Tensor4D): tf.Tensor4D => {
  const thirds = Float32Array.from({ length: x.size }, (_, index) => ((index % 7) % 3) * 3 - 3)
  return tf.add(tf.tensor4d(thirds, x.shape), tf.mul(x, 0.2))
}

const around = <T extends tf.Tensor>(center: number, x: T): T => tf.add(center, tf.mul(x, 0.2))

type Four = [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D, tf.Tensor4D]

/** Residual and activation after it; the reference adds and activates by single operations. */
const withTail = (name: string, activation: "relu" | "relu6" | undefined, residual: boolean): KernelCase => {
  const places = (...[x, gamma, beta, added]: Four): Four => [
    apart(x),
    around(activation === "relu6" ? 6 : 4, gamma),
    around(activation === "relu6" ? 3 : 2, beta),
    around(0, added)
  ]
  return {
    name: `batchNormTraining, ${name}`,
    inputs: [normal(...image), normal(3), normal(3), normal(...image)],
    apply: (...given: Four) => {
      const [x, gamma, beta, added] = places(...given)
      const { y } = batchNormTraining(x, gamma, beta, EPSILON, {
        activation,
        residual: residual ? added : undefined
      })
      return [y, tf.mul(added, 2)]
    },
    reference: (...given: Four) => {
      const [x, gamma, beta, added] = places(...given)
      const y = normalised(x, gamma, beta)[0] as tf.Tensor
      return [activated(residual ? tf.add(y, added) : y, activation), tf.mul(added, 2)]
    },
    gradient: "reference",
    heavy: true
  }
}

const image = [2, 6, 7, 3] as const
const measured = () => ({ mean: tf.tensor1d([0.1, 0, -0.1]), variance: tf.tensor1d([1, 2, 0.5]) })

/** As a frozen normalisation runs while the rest is trained. */
const frozen = (name: string, activation: "relu" | "relu6" | undefined, residual: boolean): KernelCase => ({
  name: `batchNormInference, ${name}`,
  inputs: [normal(...image), normal(3), normal(3), normal(...image)],
  apply: (...[x, gamma, beta, added]: Four) => {
    const tail = { activation, residual: residual ? around(0, added) : undefined }
    const parameters = [around(1, gamma), around(1, beta)] as const
    const y = batchNormInference(apart(x), ...parameters, measured(), EPSILON, tail)
    return [y, tf.mul(added, 2)]
  },
  reference: (...[x, gamma, beta, added]: Four) => {
    const { mean, variance } = measured()
    const y = tf.batchNorm(apart(x), mean, variance, around(1, beta), around(1, gamma), EPSILON)
    return [activated(residual ? tf.add(y, around(0, added)) : y, activation), tf.mul(added, 2)]
  },
  gradient: "reference",
  heavy: true
})

const given = (
  name: string,
  shape: Shape,
  apply: (
    x: tf.Tensor,
    mean: tf.Tensor1D,
    variance: tf.Tensor1D,
    beta: tf.Tensor1D,
    gamma: tf.Tensor1D
  ) => tf.Tensor
): KernelCase => {
  const channels = shape.at(-1)!
  const positive = between(0.5, 1.5, [channels])
  return {
    name: `batchNorm, ${name}`,
    inputs: [normal(...shape), normal(channels), positive, normal(channels), positive],
    apply: apply as never,
    gradient: "reference",
    heavy: true
  }
}

const normalisations: ReadonlyArray<KernelCase> = [
  trained("feature maps", [2, 4, 5, 3]),
  trained("batch of 1", [1, 4, 4, 2]),
  trained("odd channels", [2, 3, 3, 7]),
  trained("32 channels", [2, 3, 3, 32]),
  trained("one pixel for each of many", [8, 1, 1, 4]),
  trained("one channel", [2, 4, 4, 1]),
  withTail("relu", "relu", false),
  withTail("relu6", "relu6", false),
  withTail("residual", undefined, true),
  withTail("residual and relu", "relu", true),
  withTail("residual and relu6", "relu6", true),
  frozen("plain", undefined, false),
  frozen("relu", "relu", false),
  frozen("residual", undefined, true),
  frozen("residual and relu", "relu", true),
  frozen("residual and relu6", "relu6", true),
  statistics,
  given("given statistics", [2, 3, 4, 3], (x, mean, variance, beta, gamma) =>
    tf.batchNorm(x, mean, variance, beta, gamma, EPSILON)
  ),
  {
    ...given("without scale and shift", [2, 3, 4, 3], (x, mean, variance) => tf.batchNorm(x, mean, variance)),
    // tfjs's tape wants to keep the scale.
    gradient: "none"
  },
  given("vectors", [6, 3], (x, mean, variance, beta, gamma) =>
    tf.batchNorm2d(x as tf.Tensor2D, mean, variance, beta, gamma, EPSILON)
  )
]

const loss = (name: string, logits: CaseInput): KernelCase => ({
  name: `softmaxCrossEntropy, ${name}`,
  inputs: [logits],
  apply: (x: tf.Tensor2D) => softmaxCrossEntropy(rowsOf(x.shape), x),
  reference: (x: tf.Tensor2D) => tf.neg(tf.mean(tf.sum(tf.mul(rowsOf(x.shape), tf.logSoftmax(x)), -1))),
  gradient: "reference"
})

/** Distributions that differ from row to row. */
const rowsOf = ([rows, columns]: readonly [number, number]): tf.Tensor2D =>
  tf.softmax(tf.reshape(tf.linspace(0, 5, rows * columns), [rows, columns]))

const losses: ReadonlyArray<KernelCase> = [
  loss("some classes", normal(4, 6)),
  loss("two classes", normal(5, 2)),
  {
    ...loss("whole targets", normal(4, 6)),
    apply: (x: tf.Tensor2D) => softmaxCrossEntropy(tf.oneHot([1, 0, 3, 3], 6) as tf.Tensor2D, x),
    reference: (x: tf.Tensor2D) =>
      tf.neg(tf.mean(tf.sum(tf.mul(tf.oneHot([1, 0, 3, 3], 6), tf.logSoftmax(x)), -1)))
  },
  loss("large logits", between(-80, 80, [3, 4]))
]

const averaged = (name: string, shape: Shape): KernelCase => ({
  name: `globalMean, ${name}`,
  inputs: [normal(...shape)],
  apply: (x: tf.Tensor4D) => globalMean(x),
  reference: (x: tf.Tensor4D) => tf.mean(x, [1, 2]),
  gradient: "reference",
  heavy: true
})

const averages: ReadonlyArray<KernelCase> = [
  averaged("feature maps", [2, 6, 7, 3]),
  averaged("many channels", [2, 3, 2, 85]),
  averaged("one pixel", [3, 1, 1, 4])
]

type Run = (inputs: SgdInputs) => ReadonlyArray<tf.Tensor>

const updated = (name: string, shape: Shape, decay: number): KernelCase => {
  const attrs = { decay, momentum: 0.9 }
  const by =
    (run: Run) =>
    (weight: tf.Tensor, velocity: tf.Tensor, gradient: tf.Tensor): ReadonlyArray<tf.Tensor> =>
      run({ weight, velocity, gradient, rate: tf.scalar(0.1) })
  return {
    name: `sgdStep, ${name}`,
    inputs: [normal(...shape), normal(...shape), normal(...shape)],
    apply: by((inputs) => Object.values(sgdStep(inputs, attrs))),
    reference: by((inputs) => composedSgdStep(inputs, attrs)),
    gradient: "none",
    heavy: true
  }
}

const updates: ReadonlyArray<KernelCase> = [
  updated("a kernel", [3, 3, 4, 5], 1e-2),
  updated("without weight decay", [7], 0),
  updated("one number", [1], 1e-2),
  updated("many", [1000, 37], 1e-3)
]

export const training: KernelGroup = {
  cases: [...normalisations, ...losses, ...averages, ...updates],
  properties: []
}
