import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../../../infra/tensorflow/portable/wasm.ts"
import { tf } from "../../../../lib/tensor/tf.ts"
import { sgdUpdate } from "../../../../lib/train/optimizers/sgd.ts"

beforeAll(() => Effect.runPromise(startWasm))

/** Two updates with gradients 1 and then 0.5, learning rate 0.1, momentum 0.9, decay 0.01, from 2. */
const afterTwo = (shape: ReadonlyArray<number>, weightDecayOn?: "kernels" | "all") => {
  const weight = tf.variable(tf.fill([...shape], 2))
  const velocity = tf.variable(tf.zeros([...shape]))
  for (const gradient of [1, 0.5]) {
    tf.tidy(() =>
      sgdUpdate(
        { momentum: 0.9, weightDecay: 0.01, ...(weightDecayOn && { weightDecayOn }) },
        weight,
        velocity,
        tf.fill([...shape], gradient),
        tf.scalar(0.1)
      )
    )
  }
  return { weight: weight.dataSync()[0]!, velocity: velocity.dataSync()[0]! }
}

describe("sgdUpdate", () => {
  it("is Nesterov's momentum with decay on kernels, by hand", () => {
    // g' = 1 + 0.02 = 1.02, v = 1.02, w = 2 - 0.1 (1.02 + 0.918) = 1.8062
    // g' = 0.5 + 0.018062, v = 0.918 + 0.518062, w = 1.8062 - 0.1 (0.518062 + 0.9 · 1.436062)
    const { velocity, weight } = afterTwo([1, 1])
    assert.approximately(velocity, 1.436062, 1e-6)
    assert.approximately(weight, 1.62514822, 1e-6)
  })

  it("decays what it is told to", () => {
    assert.deepStrictEqual(afterTwo([1], "all"), afterTwo([1, 1]))
    assert.deepStrictEqual(afterTwo([1], "kernels"), afterTwo([1]))
  })

  it("does not decay biases and normalisations", () => {
    // v = 1, w = 2 - 0.19 = 1.81; v = 0.9 + 0.5 = 1.4, w = 1.81 - 0.1 (0.5 + 1.26)
    const { velocity, weight } = afterTwo([1])
    assert.approximately(velocity, 1.4, 1e-6)
    assert.approximately(weight, 1.634, 1e-6)
  })
})
