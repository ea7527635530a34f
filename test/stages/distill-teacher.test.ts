/**
 * The contract between teacher and student: real stages on the portable runtime, on images whose class is
 * their colour, so that a teacher who reads the channels in another order says the opposite.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { LabelledImages } from "../../lib/data/batches.ts"
import { encodeLabelledImages } from "../../lib/data/labelled-images.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import { TrainingParams } from "../../lib/train/TrainingParams.ts"
import { scoringSample } from "../../lib/train/teacher-score.ts"
import type { ClassifierValue } from "../../stages/artifacts.ts"
import { run as distill } from "../../stages/distill.run.ts"
import { DistillParams } from "../../stages/distill.ts"
import { run as pretrain } from "../../stages/pretrain.run.ts"
import { portable } from "../support/runtimes.ts"
import { blobsLayer, jobLayer } from "../support/stageServices.ts"

const storage = Layer.fresh(blobsLayer)
const architecture = { family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" } as const
const training = TrainingParams.make({ epochs: 6, batchSize: 8, learningRate: 0.1, warmupEpochs: 0 })

/** 64 images of 8x8, red ones and blue ones with some noise; channels in the order asked for. */
const imagesOf = (order: readonly [number, number, number]): LabelledImages => {
  const random = RandomStream.make(6, "colours")
  const images = new Uint8Array(64 * 64 * 3)
  for (let pixel = 0; pixel < 64 * 64; pixel++) {
    const isRed = Math.floor(pixel / 64) % 2 === 0
    const colour = [isRed ? 150 : 50, 100, isRed ? 50 : 150].map((value) => value + random.below(60))
    order.forEach((channel, at) => {
      images[3 * pixel + at] = colour[channel]!
    })
  }
  const labels = Int32Array.from({ length: 64 }, (_, index) => index % 2)
  return { images, labels, height: 8, width: 8, channels: 3 }
}

const rgb = [0, 1, 2] as const
const mean = [0.5, 0.5, 0.5]
const std = [0.2, 0.2, 0.2]

const datasetOf = Effect.fnUntraced(function* (
  images: LabelledImages,
  normalization: { mean: ReadonlyArray<number>; std: ReadonlyArray<number> } = { mean, std },
  hasValidation = true
) {
  const bytes = encodeLabelledImages(images)
  const split = { numExamples: 64, tensors: yield* (yield* BlobStore).put(bytes) }
  return {
    _tag: "PreparedDataset" as const,
    task: "classification" as const,
    classes: ["red", "blue"],
    preprocessing: { height: 8, width: 8, channels: 3 as const, fit: "stretch" as const, ...normalization },
    train: split,
    validation: hasValidation ? split : null,
    test: split,
    quarantined: [],
    counts: {}
  }
})

type Dataset = Effect.Success<ReturnType<typeof datasetOf>>

const taught = (dataset: Dataset) =>
  pretrain({ params: { architecture, training }, inputs: { dataset } }).pipe(
    Effect.provide(Layer.mergeAll(jobLayer(), portable.layer))
  )

const student = Effect.fnUntraced(function* (
  dataset: Dataset,
  teacher: ClassifierValue,
  changes: Partial<typeof DistillParams.Type> = {}
) {
  const notes: Array<string> = []
  const params = { ...DistillParams.make({ architecture, training: { ...training, epochs: 1 } }), ...changes }
  const classifier = yield* distill({ params, inputs: { dataset, teacher } }).pipe(
    Effect.provide(Layer.mergeAll(jobLayer({ progress: [], notes }), portable.layer))
  )
  return { classifier, notes }
})

/** The error that stops the student. */
const refused = (...args: Parameters<typeof student>) => Effect.flip(student(...args))

describe("a teacher on its student's images", () => {
  it.effect("teaches where it scores what it did, which the job notes", () =>
    Effect.gen(function* () {
      const dataset = yield* datasetOf(imagesOf(rgb))
      const teacher = yield* taught(dataset)
      assert.strictEqual(teacher.history.at(-1)?.validation.top1, 1)
      assert.notProperty(teacher, "trainingScore")
      const { classifier, notes } = yield* student(dataset, teacher)
      assert.deepStrictEqual(notes, ["the teacher's top-1 on 64 validation images: 1.000 (recorded: 1.000)"])
      assert.lengthOf(classifier.history, 1)
    }).pipe(Effect.provide(storage))
  )

  it.effect("is refused by the first field that differs: mean, std, order of the labels", () =>
    Effect.gen(function* () {
      const dataset = yield* datasetOf(imagesOf(rgb))
      const teacher = yield* taught(dataset)
      const { preprocessing } = teacher
      for (const [field, other] of [
        ["mean", { ...teacher, preprocessing: { ...preprocessing, mean: [0.485, 0.456, 0.406] } }],
        ["std", { ...teacher, preprocessing: { ...preprocessing, std: [0.2, 0.2, 0.3] } }],
        ["fit", { ...teacher, preprocessing: { ...preprocessing, fit: "pad" as const } }],
        ["classes", { ...teacher, classes: ["blue", "red"] }]
      ] as const) {
        const error = yield* refused(dataset, other)
        assert.strictEqual(error._tag, "TeacherMismatch")
        if (error._tag === "TeacherMismatch") assert.strictEqual(error.field, field)
      }
    }).pipe(Effect.provide(storage))
  )

  it.effect("is refused where its weights read the channels in another order, which is found out", () =>
    Effect.gen(function* () {
      const teacher = yield* taught(yield* datasetOf(imagesOf([2, 1, 0])))
      const dataset = yield* datasetOf(imagesOf(rgb))
      const error = yield* refused(dataset, teacher)
      assert.strictEqual(error._tag, "TeacherBelowScore")
      if (error._tag !== "TeacherBelowScore") return
      assert.deepStrictEqual([error.split, error.numExamples, error.expected], ["validation", 64, 1])
      assert.deepStrictEqual(
        error.suspects.map(({ field, top1 }) => [field, top1]),
        [["order of channels", 1]]
      )
      assert.match(
        error.message,
        /finds 0\.0 % of 64 validation images.*it should find 100\.0 %, less 5\.0 %/
      )
      assert.match(error.message, /another order of channels \(blue, green, red\) it finds 100\.0 %/)
    }).pipe(Effect.provide(storage))
  )

  it.effect("is refused where its weights want another mean and std than its record says", () =>
    Effect.gen(function* () {
      const wanted = { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] }
      const trained = yield* taught(yield* datasetOf(imagesOf(rgb), wanted))
      const dataset = yield* datasetOf(imagesOf(rgb))
      assert.strictEqual((yield* refused(dataset, trained))._tag, "TeacherMismatch")
      const error = yield* refused(dataset, { ...trained, preprocessing: dataset.preprocessing })
      assert.strictEqual(error._tag, "TeacherBelowScore")
      assert.match(error.message, /another mean and std \(inputs of 0 to 255\) it finds 100\.0 %/)
    }).pipe(Effect.provide(storage))
  )

  it.effect("is told from chance where no score is known, or held to the one that is given", () =>
    Effect.gen(function* () {
      const dataset = yield* datasetOf(imagesOf(rgb))
      const { history: _, ...trained } = yield* taught(dataset)
      const published = { ...trained, history: [] }
      assert.match((yield* student(dataset, published)).notes[0]!, /no score of its own is known/)
      const untrained = yield* pretrain({
        params: { architecture, training: { ...training, epochs: 1, learningRate: 0 } },
        inputs: { dataset }
      }).pipe(Effect.provide(Layer.mergeAll(jobLayer(), portable.layer)))
      const ignorant = { ...untrained, history: [] }
      const error = yield* refused(dataset, ignorant)
      // Half of the images are red: three times √(0.25 / 64) above 0.5.
      assert.match(error.message, /more than 68\.8 % would be clearly above chance/)
      assert.match(error.message, /are the dataset's\. What else may be wrong: the order of the channels/)
      const given = yield* refused(dataset, ignorant, { teacherTop1: 0.9, teacherMargin: 0.1 })
      assert.match(given.message, /it should find 90\.0 %, less 10\.0 % at most \(teacherMargin\)/)
      yield* student(dataset, ignorant, { teacherTop1: 0.9, teacherMargin: 0.9 })
    }).pipe(Effect.provide(storage))
  )

  it.effect("without a validation split is held to its score on the training images", () =>
    Effect.gen(function* () {
      const dataset = yield* datasetOf(imagesOf(rgb), undefined, false)
      const teacher = yield* taught(dataset)
      assert.deepStrictEqual(teacher.trainingScore, { numExamples: 64, top1: 1 })
      const { classifier, notes } = yield* student(dataset, teacher)
      assert.deepStrictEqual(notes, ["the teacher's top-1 on 64 training images: 1.000 (recorded: 1.000)"])
      assert.strictEqual(classifier.trainingScore?.numExamples, 64)
      const reversed = yield* datasetOf(imagesOf([2, 1, 0]), undefined, false)
      assert.strictEqual((yield* refused(reversed, teacher))._tag, "TeacherBelowScore")
    }).pipe(Effect.provide(storage))
  )
})

describe("the sample that is scored", () => {
  it("is spread evenly over the images", () => {
    const images = Uint8Array.from({ length: 10 }, (_, at) => at)
    const labels = Int32Array.from(images)
    const all = { images, labels, height: 1, width: 1, channels: 1 }
    const sample = Effect.runSync(scoringSample(all, 4))
    assert.deepStrictEqual([...sample.labels], [0, 2, 5, 7])
    assert.deepStrictEqual([...sample.images], [0, 2, 5, 7])
    assert.strictEqual(Effect.runSync(scoringSample(all, 10)), all)
  })
})
