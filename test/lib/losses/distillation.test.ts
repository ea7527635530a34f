import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../../infra/tensorflow/portable/wasm.ts"
import { crossEntropy } from "../../../lib/losses/cross-entropy.ts"
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
  combination: Exclude<Combination, { form: "decoupled" }>
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

type Rows = ReadonlyArray<ReadonlyArray<number>>
const tensorOf = (rows: Rows) => tf.tensor2d(rows.map((row) => [...row]))

/** Labels as given, hard loss the cross-entropy. */
const distilled = (
  student: tf.Tensor,
  teacher: Rows,
  labels: Rows,
  temperature: number,
  combination: Combination,
  teacherShare?: tf.Scalar
) => {
  const [logits, wanted] = [student as tf.Tensor2D, tensorOf(labels)]
  const teacherLogits = tensorOf(teacher)
  const hard = crossEntropy(wanted, logits)
  const taught = { teacherLogits, temperature, combination, teacherShare }
  return distillationLoss({ hard, targets: wanted, logits, ...taught })
}

const lossOf = (student: tf.Tensor, temperature: number, combination: Combination) =>
  distilled(student, teacherLogits, targets, temperature, combination)

/** The loss, and its gradient for the student's logits. */
const withGradient = (student: Rows, loss: (logits: tf.Tensor) => tf.Scalar) =>
  tf.tidy(() => {
    const { grad, value } = tf.valueAndGrad(loss)(tensorOf(student))
    return { loss: value.dataSync()[0]!, gradient: grad.arraySync() as Array<Array<number>> }
  })

const assertNear = (found: Rows, expected: Rows, tolerance: number) => {
  for (const [example, row] of expected.entries()) {
    for (const [k, slope] of row.entries()) {
      assert.approximately(found[example]![k]!, slope, tolerance, `example ${example}, class ${k}`)
    }
  }
}

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
    const same = tf.tidy(() => distilled(tf.tensor2d(logits), logits, targets, 4, { form: "sum" }).dataSync())
    const hard = reference(logits, 4, { form: "weighted", hardWeight: 1 })
    assert.approximately(same[0]!, hard, 1e-4)
  })

  it("comes to what one computes by hand for two classes at T = 20", () => {
    // Softened by 20, logits (3, 0) and (1, 0) are p' = sigmoid(0.15) = 0.53743 and q = sigmoid(0.05) =
    // 0.51250; KL = 0.0012456, times 400 is 0.49823. The hard loss is log(1 + 1/e) = 0.31326.
    const { gradient, loss } = withGradient([[1, 0]], (x) =>
      distilled(x, [[3, 0]], [[1, 0]], 20, { form: "sum" })
    )
    assert.approximately(loss, 0.811496, 2e-4)
    // sigmoid(1) - 1 + 20 (q - p')
    assertNear(gradient, [[-0.76759, 0.76759]], 1e-6)
  })

  it("does not hear the labels at a hard weight of 0", () => {
    const alone = { form: "weighted", hardWeight: 0 } as const
    const of = (labels: Rows) => withGradient(logits, (x) => distilled(x, teacherLogits, labels, 4, alone))
    assert.deepStrictEqual(
      of(targets),
      of([
        [0, 1, 0],
        [1, 0, 0]
      ])
    )
  })
})

describe("the decoupled divergence", () => {
  it("is KL where beta is what the teacher leaves the other classes", () => {
    const student = [logits[0]!]
    const teacher = [teacherLogits[0]!]
    const [label] = softmax(teacher[0]!.map((value) => value / 4))
    const of = (combination: Combination) =>
      withGradient(student, (x) => distilled(x, teacher, [[1, 0, 0]], 4, combination))
    const [whole, parts] = [of({ form: "sum" }), of({ form: "decoupled", alpha: 1, beta: 1 - label! })]
    assert.approximately(parts.loss, whole.loss, 5e-5)
    assertNear(parts.gradient, whole.gradient, 1e-5)
  })

  it("counts as much as it is told: a quarter of its loss and of its gradient", () => {
    const combination = { form: "decoupled", alpha: 1, beta: 8 } as const
    const of = (share: number | undefined) =>
      withGradient(logits, (x) =>
        distilled(
          x,
          teacherLogits,
          targets,
          4,
          combination,
          share === undefined ? undefined : tf.scalar(share)
        )
      )
    const [none, quarter, whole, unsaid] = [of(0), of(0.25), of(1), of(undefined)]
    assert.deepStrictEqual(whole, unsaid)
    assert.isAbove(whole.loss - none.loss, 1)
    assert.approximately(quarter.loss - none.loss, (whole.loss - none.loss) / 4, 1e-5)
    const expected = none.gradient.map((row, example) =>
      row.map((slope, k) => slope + (whole.gradient[example]![k]! - slope) / 4)
    )
    assertNear(quarter.gradient, expected, 1e-6)
  })
})
