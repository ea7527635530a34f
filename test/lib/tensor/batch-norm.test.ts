import { beforeAll, describe, expect, it } from "vitest"
import { registerBatchNorm } from "../../../infra/tensorflow/portable/kernels.ts"
import { batchNormInference, batchNormTraining } from "../../../lib/tensor/batch-norm.ts"
import { tf } from "../../../lib/tensor/tf.ts"

beforeAll(async () => {
  registerBatchNorm("cpu")
  await tf.setBackend("cpu")
})

const close = (values: ReadonlyArray<number>) => values.map((value) => expect.closeTo(value, 4))

describe("batchNormTraining", () => {
  it("normalises by the biased variance and reports the unbiased one", () => {
    const x = tf.tensor4d([1, 10, 3, 10, 5, 40, 7, 40], [1, 2, 2, 2])
    const { y, mean, variance } = batchNormTraining(x, tf.tensor1d([1, 2]), tf.tensor1d([0, 5]), 0)
    expect(Array.from(mean.dataSync())).toEqual(close([4, 25]))
    // Biased: 5 and 225; unbiased: 4/3 of that.
    expect(Array.from(variance.dataSync())).toEqual(close([20 / 3, 300]))
    const z = [-3, -1, 1, 3].map((value) => value / Math.sqrt(5))
    expect(Array.from(y.dataSync())).toEqual(close([z[0]!, 3, z[1]!, 3, z[2]!, 7, z[3]!, 7]))
  })

  it("has the gradient of the composed formula", () => {
    const x = tf.tensor4d([0.3, -1, 2, 0.5, -0.7, 1.1, 0.9, -0.2], [2, 2, 1, 2])
    const gamma = tf.tensor1d([1.5, -0.5])
    const beta = tf.tensor1d([0.2, 0.1])
    const weights = tf.tensor4d([1, -2, 3, 0.5, -1, 2, 0.25, 1], [2, 2, 1, 2])
    const epsilon = 1e-3
    const composed = (input: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor => {
      const { mean, variance } = tf.moments(input, [0, 1, 2])
      const normal = tf.mul(tf.sub(input, mean), tf.rsqrt(tf.add(variance, epsilon)))
      return tf.mul(tf.add(tf.mul(normal, scale), shift), weights)
    }
    const fused = (input: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor => {
      const parameters = [scale as tf.Tensor1D, shift as tf.Tensor1D] as const
      return tf.mul(batchNormTraining(input as tf.Tensor4D, ...parameters, epsilon).y, weights)
    }
    const expected = tf.grads(composed)([x, gamma, beta])
    const got = tf.grads(fused)([x, gamma, beta])
    for (const [index, gradient] of got.entries()) {
      expect(Array.from(gradient.dataSync())).toEqual(close(Array.from(expected[index]!.dataSync())))
    }
  })

  it("adds a residual and applies an activation, forward and gradient", () => {
    const [x, residual] = [1, 2].map((seed) => tf.randomNormal([2, 3, 2, 2], 0, 4, "float32", seed)) as [
      tf.Tensor4D,
      tf.Tensor4D
    ]
    const [gamma, beta] = [tf.tensor1d([3, -2]), tf.tensor1d([2, 1])]
    const parts = [x, gamma, beta, residual]
    for (const activation of ["relu", "relu6"] as const) {
      const apart = (input: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, added: tf.Tensor): tf.Tensor => {
        const parameters = [scale as tf.Tensor1D, shift as tf.Tensor1D] as const
        return tf[activation](tf.add(batchNormTraining(input as tf.Tensor4D, ...parameters, 1e-3).y, added))
      }
      const fused = (input: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, added: tf.Tensor): tf.Tensor => {
        const parameters = [scale as tf.Tensor1D, shift as tf.Tensor1D] as const
        const tail = { activation, residual: added as tf.Tensor4D }
        return batchNormTraining(input as tf.Tensor4D, ...parameters, 1e-3, tail).y
      }
      const [expected, got] = [apart, fused].map((act) => [
        act(x, gamma, beta, residual),
        ...tf.grads(act)(parts)
      ]) as [Array<tf.Tensor>, Array<tf.Tensor>]
      for (const [index, value] of got.entries()) {
        expect(Array.from(value.dataSync())).toEqual(close(Array.from(expected[index]!.dataSync())))
      }
    }
  })

  it("leaves no tensor behind", () => {
    const x = tf.ones([2, 2, 2, 3]) as tf.Tensor4D
    const before = tf.memory().numTensors
    const y = (input: tf.Tensor) =>
      batchNormTraining(input as tf.Tensor4D, tf.ones([3]), tf.zeros([3]), 1e-5).y
    tf.tidy(() => {
      tf.grad(y)(x)
    })
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe("batchNormInference", () => {
  const x = tf.tensor4d([0.3, -1, 2, 0.5, -0.7, 1.1, 0.9, -0.2], [2, 2, 1, 2])
  const residual = tf.tensor4d([1, 0.2, -3, 1, 2, -1, 0.1, 0.4], [2, 2, 1, 2])
  const statistics = { mean: tf.tensor1d([0.5, -0.2]), variance: tf.tensor1d([2, 0.5]) }

  it("is what tfjs's operations give one after another, also for gradients", () => {
    const apart = (...[input, gamma, beta, added]: Array<tf.Tensor>): tf.Tensor => {
      const { mean, variance } = statistics
      const parameters = [mean, variance, beta as tf.Tensor1D, gamma as tf.Tensor1D, 1e-3] as const
      return tf.relu(tf.add(tf.batchNorm(input as tf.Tensor4D, ...parameters), added!))
    }
    const fused = (...[input, gamma, beta, added]: Array<tf.Tensor>): tf.Tensor => {
      const parameters = [gamma as tf.Tensor1D, beta as tf.Tensor1D, statistics, 1e-3] as const
      const tail = { activation: "relu", residual: added as tf.Tensor4D } as const
      return batchNormInference(input as tf.Tensor4D, ...parameters, tail)
    }
    const parts = [x, tf.tensor1d([1.5, -0.5]), tf.tensor1d([0.2, 0.1]), residual]
    const [expected, got] = [apart, fused].map((act) => [act(...parts), ...tf.grads(act)(parts)]) as [
      Array<tf.Tensor>,
      Array<tf.Tensor>
    ]
    for (const [index, value] of got.entries()) {
      expect(Array.from(value.dataSync())).toEqual(close(Array.from(expected[index]!.dataSync())))
    }
  })
})
