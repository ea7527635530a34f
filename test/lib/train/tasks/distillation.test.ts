import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { layerPortable } from "../../../../infra/tensorflow/PortableRuntime.ts"
import { loadClassifier } from "../../../../lib/models/Classifier.ts"
import { initializeWeights } from "../../../../lib/nn/initializers.ts"
import { BatchStatistics } from "../../../../lib/nn/Mode.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { tf } from "../../../../lib/tensor/tf.ts"
import { distillationTask } from "../../../../lib/train/tasks/distillation.ts"
import { makeVariables } from "../../../../lib/train/variables.ts"
import { taskSuite } from "../../../suites/task.ts"

const random = RandomStream.make(2, "distillation test")
const feeds = {
  images: Float32Array.from({ length: 512 }, () => random.gaussian()),
  targets: Float32Array.from({ length: 32 }, (_, i) => (i % 4 === Math.floor(i / 4) % 4 ? 1 : 0))
}

/** A student of width 4 and a teacher of width 2 with some weights of its own. */
const prepared = Effect.gen(function* () {
  const network = (width: number) =>
    loadClassifier({
      architecture: { family: "resnet-cifar", depth: 8, width, shortcut: "B" },
      imageChannels: 1,
      numClasses: 4
    })
  const [student, teacher] = [yield* network(4), yield* network(2)]
  const teacherWeights = yield* makeVariables(
    initializeWeights(teacher.weights, "torch-default", RandomStream.make(8, "teacher"))
  )
  const studentWeights = yield* makeVariables(
    initializeWeights(student.weights, "torch-default", RandomStream.make(9, "student"))
  )
  const task = distillationTask({
    student,
    teacher,
    teacherWeights,
    temperature: 4,
    combination: { form: "sum" }
  })
  return { task, teacher, teacherWeights, studentWeights }
})

taskSuite(
  "the distillation task",
  Effect.map(prepared, ({ task }) => ({
    task,
    inputs: {
      images: { shape: [8, 8, 8, 1], dtype: "float32" },
      targets: { shape: [8, 4], dtype: "float32" }
    } as const,
    feeds,
    // A teacher that knows nothing pulls away from the labels, so the loss keeps a floor.
    lossBelow: 0.8,
    measures: { top1: 1 }
  }))
)

describe("the teacher", () => {
  it.effect("sends no gradient to its weights and records no statistics", () =>
    Effect.gen(function* () {
      const { studentWeights, task, teacherWeights } = yield* prepared
      tf.tidy(() => {
        const statistics = new BatchStatistics()
        const inputs = {
          images: tf.tensor4d(feeds.images, [8, 8, 8, 1]),
          targets: tf.tensor2d(feeds.targets, [8, 4])
        }
        const all = [...Object.values(studentWeights), ...Object.values(teacherWeights)]
        const before = all.map((variable) => variable.dataSync().slice())
        const teacherVariables = Object.values(teacherWeights)
        const { grads } = tf.variableGrads(
          () => task.forward(studentWeights, inputs, { kind: "training", statistics }).loss,
          [studentWeights["fc.bias"]!, ...teacherVariables]
        )
        for (const variable of teacherVariables) {
          assert.notExists(grads[variable.name])
        }
        assert.strictEqual(
          statistics.take().length,
          Object.keys(studentWeights).filter((name) => name.includes("running")).length
        )
        assert.deepStrictEqual(
          all.map((variable) => variable.dataSync().slice()),
          before
        )
      })
    }).pipe(Effect.scoped, Effect.provide(layerPortable))
  )
})
