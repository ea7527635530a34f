/**
 * A residual net small enough for tests: stem, one strided residual block, pool, head; trained by SGD with
 * momentum.
 */
import { Effect } from "effect"
import { type BatchNormTail, batchNormTraining } from "../../../lib/tensor/batch-norm.ts"
import { type Precision, type TensorError, TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { softmaxCrossEntropy } from "../../../lib/tensor/softmax-cross-entropy.ts"
import { tf } from "../../../lib/tensor/tf.ts"

export const BATCH = 8
const IMAGE = [BATCH, 12, 12, 3]
const CLASSES = 4

const shapes: { readonly [name: string]: ReadonlyArray<number> } = {
  stem: [3, 3, 3, 8],
  first: [3, 3, 8, 16],
  second: [3, 3, 16, 16],
  shortcut: [1, 1, 8, 16],
  head: [16, CLASSES]
}
const norms: { readonly [name: string]: number } = { stem: 8, first: 16, second: 16, shortcut: 16 }

export interface ResidualNet {
  readonly weights: ReadonlyMap<string, tf.Variable>
  readonly momenta: ReadonlyMap<string, tf.Variable>
  /** Running mean and variance of each batch norm. */
  readonly statistics: ReadonlyMap<string, tf.Variable>
}

const variable = (initial: tf.Tensor): tf.Variable => {
  const made = tf.variable(initial)
  initial.dispose()
  return made
}

export const makeNet = (seed: number): ResidualNet => {
  const weights = new Map<string, tf.Variable>()
  const statistics = new Map<string, tf.Variable>()
  for (const [name, shape] of Object.entries(shapes)) {
    const random = RandomStream.make(seed, name)
    const count = shape.reduce((product, length) => product * length, 1)
    const deviation = Math.sqrt(2 / (count / shape.at(-1)!))
    const values = Float32Array.from({ length: count }, () => random.gaussian() * deviation)
    weights.set(name, variable(tf.tensor(values, [...shape])))
  }
  for (const [name, channels] of Object.entries(norms)) {
    weights.set(`${name}/gamma`, variable(tf.ones([channels])))
    weights.set(`${name}/beta`, variable(tf.zeros([channels])))
    statistics.set(`${name}/mean`, variable(tf.zeros([channels])))
    statistics.set(`${name}/variance`, variable(tf.ones([channels])))
  }
  const momenta = new Map(
    Array.from(weights, ([name, weight]) => [name, variable(tf.zerosLike(weight))] as const)
  )
  return { weights, momenta, statistics }
}

export const disposeNet = (net: ResidualNet): void => {
  for (const variables of [net.weights, net.momenta, net.statistics]) {
    for (const variable of variables.values()) variable.dispose()
  }
}

export const variablesOf = (net: ResidualNet): ReadonlyArray<tf.Variable> =>
  [net.weights, net.momenta, net.statistics].flatMap((variables) => [...variables.values()])

/** Statistics of this batch by name, kept alive beyond the loss function. */
type Statistics = Map<string, tf.Tensor>

const normed = (
  net: ResidualNet,
  name: string,
  x: tf.Tensor4D,
  stride: number,
  seen: Statistics,
  tail?: BatchNormTail
): tf.Tensor4D => {
  const weight = (key: string) => net.weights.get(key)!
  const features = tf.conv2d(x, weight(name) as tf.Tensor as tf.Tensor4D, stride, "same")
  const gamma = weight(`${name}/gamma`) as tf.Tensor as tf.Tensor1D
  const beta = weight(`${name}/beta`) as tf.Tensor as tf.Tensor1D
  const { y, mean, variance } = batchNormTraining(features, gamma, beta, 1e-5, tail)
  seen.set(`${name}/mean`, tf.keep(mean))
  seen.set(`${name}/variance`, tf.keep(variance))
  return y
}

const logitsOf = (net: ResidualNet, images: tf.Tensor4D, seen: Statistics): tf.Tensor2D => {
  const activation = "relu"
  const stem = tf.maxPool(normed(net, "stem", images, 1, seen, { activation }), 3, 2, "same")
  const first = normed(net, "first", stem, 2, seen, { activation })
  const residual = normed(net, "shortcut", stem, 2, seen)
  const sum = normed(net, "second", first, 1, seen, { activation, residual })
  const features = tf.mean(sum, [1, 2]) as tf.Tensor2D
  return tf.matMul(features, net.weights.get("head") as tf.Tensor as tf.Tensor2D)
}

const LEARNING_RATE = 0.05
const MOMENTUM = 0.9

/** One update in plain tfjs, as the trainer does it. */
export const trainingStep =
  (net: ResidualNet) =>
  ({
    images,
    labels
  }: {
    readonly images: tf.Tensor
    readonly labels: tf.Tensor
  }): { readonly loss: tf.Tensor } => {
    const seen: Statistics = new Map()
    const loss = (): tf.Scalar => {
      const targets = tf.oneHot(labels as tf.Tensor1D, CLASSES) as tf.Tensor2D
      return softmaxCrossEntropy(targets, logitsOf(net, images as tf.Tensor4D, seen))
    }
    const { value, grads } = tf.variableGrads(loss, [...net.weights.values()])
    for (const [name, weight] of net.weights) {
      const momentum = net.momenta.get(name)!
      const gradient = grads[weight.name]!
      const moved = tf.add(tf.mul(momentum, MOMENTUM), gradient)
      momentum.assign(moved)
      weight.assign(tf.sub(weight, tf.mul(tf.add(gradient, tf.mul(moved, MOMENTUM)), LEARNING_RATE)))
    }
    for (const [name, running] of net.statistics) {
      const batch = seen.get(name)!
      running.assign(tf.add(running, tf.mul(tf.sub(batch, running), 0.1)))
      batch.dispose()
    }
    return { loss: value }
  }

export interface Trained {
  readonly losses: ReadonlyArray<number>
  readonly values: ReadonlyArray<Float32Array>
}

/** Trains a fresh net for some steps on fixed noise and reads everything back. */
export const train = (
  precision: Precision,
  steps: number
): Effect.Effect<Trained, TensorError, TensorRuntime> =>
  Effect.gen(function* () {
    const runtime = yield* TensorRuntime
    const net = makeNet(3)
    const step = yield* runtime.jit(trainingStep(net), {
      inputs: { images: { shape: IMAGE, dtype: "float32" }, labels: { shape: [BATCH], dtype: "int32" } },
      precision
    })
    const random = RandomStream.make(4, "images")
    const count = IMAGE.reduce((product, length) => product * length, 1)
    const images = Float32Array.from({ length: count }, () => random.gaussian())
    const labels = Int32Array.from({ length: BATCH }, (_, index) => index % CLASSES)
    const losses: Array<number> = []
    for (let index = 0; index < steps; index += 1) losses.push((yield* step.run({ images, labels })).loss[0]!)
    const values = yield* runtime.read(variablesOf(net))
    disposeNet(net)
    return { losses, values }
  }).pipe(Effect.scoped)
