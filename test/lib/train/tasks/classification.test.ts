import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { loadClassifier } from "../../../../lib/models/Classifier.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { classificationTask, likeliestClasses } from "../../../../lib/train/tasks/classification.ts"
import { taskSuite } from "../../../suites/task.ts"

const random = RandomStream.make(1, "classification test")

taskSuite(
  "the classification task",
  Effect.gen(function* () {
    const classifier = yield* loadClassifier({
      architecture: { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" },
      imageChannels: 1,
      numClasses: 4
    })
    return {
      task: classificationTask(classifier),
      inputs: {
        images: { shape: [8, 8, 8, 1], dtype: "float32" },
        targets: { shape: [8, 4], dtype: "float32" }
      } as const,
      feeds: {
        images: Float32Array.from({ length: 512 }, () => random.gaussian()),
        targets: Float32Array.from({ length: 32 }, (_, i) => (i % 4 === Math.floor(i / 4) % 4 ? 1 : 0))
      },
      lossBelow: 0.05,
      measures: { top1: 1 }
    }
  })
)

describe("likeliestClasses", () => {
  it("finds the label in smoothed targets", () =>
    assert.deepStrictEqual(
      likeliestClasses(Float32Array.of(0.05, 0.9, 0.05, 0.8, 0.1, 0.1), 3),
      Int32Array.of(1, 0)
    ))
})
