import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../../infra/tensorflow/portable/wasm.ts"
import { binaryCrossEntropy, type ClassReduction } from "../../../lib/losses/binary-cross-entropy.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { lossAgainst } from "../../../lib/train/tasks/classifier-forward.ts"
import golden from "../../golden/losses/golden.json" with { type: "json" }

beforeAll(() => Effect.runPromise(startWasm))

const withGradient = (logits: ReadonlyArray<ReadonlyArray<number>>, loss: (x: tf.Tensor2D) => tf.Scalar) =>
  tf.tidy(() => {
    const rows = tf.tensor2d(logits.map((row) => [...row]))
    const { grad, value } = tf.valueAndGrad((x) => loss(x as tf.Tensor2D))(rows)
    return { loss: value.dataSync()[0]!, gradient: [...grad.dataSync()] }
  })

describe("binaryCrossEntropy", () => {
  it.each(golden.binary)(
    "is PyTorch's, smoothed and mixed targets, $reduction over classes: $loss",
    (given) => {
      const { gradient, loss } = withGradient(given.logits, (x) =>
        binaryCrossEntropy(tf.tensor2d(given.targets), x, given.reduction as ClassReduction)
      )
      assert.approximately(loss, given.loss, 2e-6 * Math.max(1, given.loss))
      given.gradient.flat().forEach((slope, at) => {
        assert.approximately(gradient[at]!, slope, 1e-6, `slope ${at}`)
      })
    }
  )

  it("is K log 2 for logits of 0, log 2 as a mean", () => {
    const of = (reduction: ClassReduction) =>
      withGradient([[0, 0, 0, 0]], (x) => binaryCrossEntropy(tf.tensor2d([[1, 0, 0, 0]]), x, reduction))
    assert.approximately(of("sum").loss, 4 * Math.LN2, 1e-6)
    assert.approximately(of("mean").loss, Math.LN2, 1e-6)
    assert.deepStrictEqual(of("sum").gradient, [-0.5, 0.5, 0.5, 0.5])
    assert.deepStrictEqual(of("mean").gradient, [-0.125, 0.125, 0.125, 0.125])
  })
})

describe("the loss against targets", () => {
  const targets = [[0.7, 0.3, 0.02]]
  const of = (learning: Parameters<typeof lossAgainst>[2]) =>
    withGradient([[1, -2, 0.5]], (x) => lossAgainst(tf.tensor2d(targets), x, learning))

  it("counts targets above the threshold as 1 and others as 0", () => {
    const expected = withGradient([[1, -2, 0.5]], (x) =>
      binaryCrossEntropy(tf.tensor2d([[1, 1, 0]]), x, "mean")
    )
    assert.deepStrictEqual(of({ loss: "binary-mean", targetThreshold: 0.2 }), expected)
    assert.notDeepEqual(of({ loss: "binary-mean" }), expected)
  })

  it("is the cross-entropy to the bit where nothing is said", () =>
    assert.deepStrictEqual(of({}), of({ loss: "cross-entropy", targetThreshold: null })))
})
