import { beforeAll, describe, expect, it } from "vitest"
import { softmaxCrossEntropy } from "../../../lib/tensor/softmax-cross-entropy.ts"
import { tf } from "../../../lib/tensor/tf.ts"

beforeAll(() => tf.setBackend("cpu"))

describe("softmaxCrossEntropy", () => {
  it("is the mean of -sum(targets * log softmax)", () => {
    const targets = tf.tensor2d([0.7, 0.2, 0.1, 0, 0, 1], [2, 3])
    const logits = tf.tensor2d([1, 2, 3, 0, 0, 0], [2, 3])
    const logSumExp = Math.log(Math.exp(1) + Math.exp(2) + Math.exp(3))
    const first = -(0.7 * (1 - logSumExp) + 0.2 * (2 - logSumExp) + 0.1 * (3 - logSumExp))
    const expected = (first + Math.log(3)) / 2
    expect(softmaxCrossEntropy(targets, logits).dataSync()[0]).toBeCloseTo(expected, 5)
  })

  it("has the gradient (softmax - targets) / N, scaled by what follows", () => {
    const targets = tf.tensor2d([1, 0, 0.5, 0.5], [2, 2])
    const logits = tf.tensor2d([0, Math.log(3), 2, 2], [2, 2])
    const gradient = tf.grad((scores) => tf.mul(softmaxCrossEntropy(targets, scores as tf.Tensor2D), 4))(
      logits
    )
    expect(Array.from(gradient.dataSync())).toEqual(
      [-1.5, 1.5, 0, 0].map((value) => expect.closeTo(value, 5))
    )
  })

  it("works when the targets are made inside of the differentiated function", () => {
    const labels = tf.tensor1d([1, 0], "int32")
    const loss = (scores: tf.Tensor) =>
      softmaxCrossEntropy(tf.oneHot(labels, 2) as tf.Tensor2D, scores as tf.Tensor2D)
    const gradient = tf.grad(loss)(tf.zeros([2, 2]))
    expect(Array.from(gradient.dataSync())).toEqual([0.25, -0.25, -0.25, 0.25])
  })

  it("stays finite for logits whose exponentials are not", () => {
    const targets = tf.tensor2d([0, 1], [1, 2])
    const logits = tf.tensor2d([1e4, -1e4], [1, 2])
    const { value, grad } = tf.valueAndGrad((scores) => softmaxCrossEntropy(targets, scores as tf.Tensor2D))(
      logits
    )
    expect(value.dataSync()[0]).toBeCloseTo(2e4, 0)
    expect(Array.from(grad.dataSync())).toEqual([1, -1])
  })
})
