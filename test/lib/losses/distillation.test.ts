import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../../infra/tensorflow/portable/wasm.ts"
import { type Combination, distillationLoss } from "../../../lib/losses/distillation.ts"
import { tf } from "../../../lib/tensor/tf.ts"

beforeAll(() => Effect.runPromise(startWasm))

const logits = [
  [2, -1, 0.5],
  [-0.3, 1.2, 3]
]
const teacherLogits = [
  [1, 0, -2],
  [0.5, 2.5, 0.1]
]
const targets = [
  [1, 0, 0],
  [0, 0.1, 0.9]
]

const softmax = (row: ReadonlyArray<number>) => {
  const exponentials = row.map(Math.exp)
  const sum = exponentials.reduce((a, b) => a + b)
  return exponentials.map((value) => value / sum)
}

/** The formula of paper-facts §3 in double precision: CE + T² KL, or its weighted form. */
const reference = (
  student: ReadonlyArray<ReadonlyArray<number>>,
  temperature: number,
  combination: Combination
) => {
  let hard = 0
  let soft = 0
  student.forEach((row, example) => {
    const own = softmax(row)
    const softened = softmax(row.map((value) => value / temperature))
    const teacher = softmax(teacherLogits[example]!.map((value) => value / temperature))
    own.forEach((p, k) => {
      hard -= (targets[example]![k]! * Math.log(p)) / student.length
      soft += (teacher[k]! * Math.log(teacher[k]! / softened[k]!) * temperature ** 2) / student.length
    })
  })
  if (combination.form === "sum") return hard + soft
  return combination.hardWeight * hard + (1 - combination.hardWeight) * soft
}

const lossOf = (student: tf.Tensor, temperature: number, combination: Combination) =>
  distillationLoss({
    targets: tf.tensor2d(targets),
    logits: student as tf.Tensor2D,
    teacherLogits: tf.tensor2d(teacherLogits),
    temperature,
    combination
  })

describe("distillationLoss", () => {
  for (const temperature of [1, 4, 20]) {
    for (const combination of [{ form: "sum" }, { form: "weighted", hardWeight: 0.3 }] as const) {
      it(`is the formula at T = ${temperature}, ${combination.form}`, () => {
        const loss = tf.tidy(() => lossOf(tf.tensor2d(logits), temperature, combination).dataSync()[0]!)
        // The soft term is a small difference of two numbers of size T² ln K in float32.
        assert.approximately(loss, reference(logits, temperature, combination), temperature ** 2 * 4e-6)
      })

      it(`has the gradient of finite differences at T = ${temperature}, ${combination.form}`, () => {
        const gradient = tf.tidy(
          () =>
            tf
              .grad((x) => lossOf(x, temperature, combination))(tf.tensor2d(logits))
              .arraySync() as Array<Array<number>>
        )
        const step = 1e-5
        for (const [example, row] of logits.entries()) {
          for (const k of row.keys()) {
            const moved = (by: number) =>
              logits.map((other, i) =>
                other.map((value, j) => (i === example && j === k ? value + by : value))
              )
            const rise = reference(moved(step), temperature, combination)
            const fall = reference(moved(-step), temperature, combination)
            assert.approximately(gradient[example]![k]!, (rise - fall) / (2 * step), 2e-5)
          }
        }
      })
    }
  }

  it("is the plain cross-entropy when the student says what the teacher says", () => {
    const same = tf.tidy(
      () =>
        distillationLoss({
          targets: tf.tensor2d(targets),
          logits: tf.tensor2d(logits),
          teacherLogits: tf.tensor2d(logits),
          temperature: 4,
          combination: { form: "sum" }
        }).dataSync()[0]!
    )
    const hard = reference(logits, 4, { form: "weighted", hardWeight: 1 })
    assert.approximately(same, hard, 1e-4)
  })
})
