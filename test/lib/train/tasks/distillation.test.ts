import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { layerPortable } from "../../../../infra/tensorflow/PortableRuntime.ts"
import { classificationBatches } from "../../../../lib/data/batches.ts"
import { crossEntropy } from "../../../../lib/losses/cross-entropy.ts"
import { distillationLoss } from "../../../../lib/losses/distillation.ts"
import { loadClassifier } from "../../../../lib/models/Classifier.ts"
import { initializeWeights } from "../../../../lib/nn/initializers.ts"
import { BatchStatistics, evaluation } from "../../../../lib/nn/Mode.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { tf } from "../../../../lib/tensor/tf.ts"
import { mixingOf } from "../../../../lib/train/TargetParams.ts"
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
  return { task, student, teacher, teacherWeights, studentWeights }
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

  it.effect("answers in evaluation mode, on the very images that the batch holds, mixed ones too", () =>
    Effect.gen(function* () {
      const { studentWeights, student, task, teacher, teacherWeights } = yield* prepared
      // Running statistics that no batch has: in training mode the answers would be others.
      for (const [name, variable] of Object.entries(teacherWeights)) {
        if (name.endsWith("running_mean")) variable.assign(tf.fill(variable.shape, 0.3))
        if (name.endsWith("running_var")) variable.assign(tf.fill(variable.shape, 2.5))
      }
      const batches = classificationBatches({
        dataset: {
          images: Uint8Array.from({ length: 16 * 64 }, () => random.below(256)),
          labels: Int32Array.from({ length: 16 }, (_, example) => example % 4),
          height: 8,
          width: 8,
          channels: 1
        },
        ...{ normalization: { mean: [0.5], std: [0.25] }, numClasses: 4, batchSize: 8, seed: 5 },
        ...{ labelSmoothing: 0.1, augment: { pad: 1, flip: true } },
        mixing: mixingOf({ labelSmoothing: 0.1, mixup: 1 }, 1)
      })
      const fed = { images: new Float32Array(512), targets: new Float32Array(32) }
      batches.fill({ epoch: 0, step: 1 }, fed)
      assert.isAbove(fed.targets.filter((target) => target > 0.03).length, 8, "targets are mixed")
      tf.tidy(() => {
        const inputs = {
          images: tf.tensor4d(fed.images, [8, 8, 8, 1]),
          targets: tf.tensor2d(fed.targets, [8, 4])
        }
        const mode = () => ({ kind: "training", statistics: new BatchStatistics() }) as const
        const { loss, outputs } = task.forward(studentWeights, inputs, mode())
        const logits = outputs.logits as tf.Tensor2D
        const lossFor = (teacherLogits: tf.Tensor2D) =>
          distillationLoss({
            hard: crossEntropy(inputs.targets, logits),
            ...{ targets: inputs.targets, logits, teacherLogits, temperature: 4 },
            combination: { form: "sum" }
          }).dataSync()[0]!
        const found = loss.dataSync()[0]!
        assert.strictEqual(found, lossFor(teacher.apply(teacherWeights, inputs.images, evaluation)))
        const learning = lossFor(teacher.apply(teacherWeights, inputs.images, mode()))
        assert.isAbove(Math.abs(found - learning), 1e-3)
        assert.deepStrictEqual(
          logits.dataSync(),
          student.apply(studentWeights, inputs.images, mode()).dataSync()
        )
      })
    }).pipe(Effect.scoped, Effect.provide(layerPortable))
  )
})
