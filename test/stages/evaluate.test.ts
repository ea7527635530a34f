/** A classifier made by hand, scored on a handful of images. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { encodeLabelledImages } from "../../lib/data/labelled-images.ts"
import { readConfusion } from "../../lib/data/stored-confusion.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { encodeWeights } from "../../lib/models/weights.ts"
import { initializeWeights } from "../../lib/nn/initializers.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import type { ClassifierValue, PreparedDatasetValue } from "../../stages/artifacts.ts"
import { run } from "../../stages/evaluate.run.ts"
import { EvaluateParams } from "../../stages/evaluate.ts"
import { portable } from "../support/runtimes.ts"
import { blobsLayer, jobLayer } from "../support/stageServices.ts"

const layer = Layer.mergeAll(jobLayer(), portable.layer, blobsLayer)
const classes = ["a", "b", "c"]
const architecture = { family: "resnet-cifar", depth: 8, width: 1, shortcut: "B" } as const
const preprocessing = { height: 8, width: 8, channels: 1, fit: "stretch", mean: [0.5], std: [0.25] } as const
/** What the network says of every image, whatever is on it: class b, then c, then a. */
const constant = { "fc.weight": 0, "fc.bias": [0, 2, 1] }

const modelOf = Effect.fn(function* (classes: ReadonlyArray<string>, bias: ReadonlyArray<number>) {
  const numClasses = classes.length
  const { weights: specs } = yield* loadClassifier({ architecture, imageChannels: 1, numClasses })
  const weights = { ...initializeWeights(specs, "torch-default", RandomStream.make(1)) }
  const still = new Float32Array(4 * numClasses).fill(constant["fc.weight"])
  weights["fc.weight"] = { shape: [4, numClasses], values: still }
  weights["fc.bias"] = { shape: [numClasses], values: Float32Array.from(bias) }
  const model: ClassifierValue = {
    _tag: "Classifier",
    architecture,
    classes,
    preprocessing,
    weights: yield* (yield* BlobStore).put(encodeWeights(weights)),
    numParams: 1,
    macs: 2,
    history: []
  }
  return model
})
const storedModel = modelOf(classes, constant["fc.bias"])

/** Images of noise, the first `labels[0]`, and so on. */
const storedDataset = Effect.fn(function* (labels: ReadonlyArray<number>, size = 8, input = size) {
  const random = RandomStream.make(2)
  const bytes = encodeLabelledImages({
    images: Uint8Array.from({ length: labels.length * size * size }, () => random.below(256)),
    labels: Int32Array.from(labels),
    height: size,
    width: size,
    channels: 1
  })
  const split = { numExamples: labels.length, tensors: yield* (yield* BlobStore).put(bytes) }
  const dataset: PreparedDatasetValue = {
    _tag: "PreparedDataset",
    task: "classification",
    classes,
    preprocessing: { ...preprocessing, height: input, width: input },
    train: split,
    validation: null,
    test: split,
    quarantined: [],
    counts: {}
  }
  return dataset
})

describe("evaluate", () => {
  it.effect(
    "of 1,000 classes keeps the cells of the confusion matrix in a blob, the record stays short",
    () =>
      Effect.gen(function* () {
        const many = Array.from({ length: 1000 }, (_, index) => `n${index}`)
        const model = yield* modelOf(
          many,
          many.map((_, index) => Number(index === 700))
        )
        const dataset = { ...(yield* storedDataset([5, 700, 5, 999])), classes: many }
        const evaluation = yield* run({ params: {}, inputs: { model, dataset } })
        assert.isBelow(JSON.stringify(evaluation, null, 1).length, 200_000)
        if (evaluation.task !== "classification") return assert.fail(evaluation.task)
        const cells = [
          [5, 700, 2],
          [700, 700, 1],
          [999, 700, 1]
        ] as const
        assert.deepStrictEqual(yield* readConfusion(evaluation.confusion), {
          matrix: null,
          cells: [...cells]
        })
        assert.deepStrictEqual(evaluation.perClass[700], {
          ...{ name: "n700", precision: 0.25, recall: 1, support: 1 }
        })
      }).pipe(Effect.provide(layer))
  )

  it.effect("scores every image, those of the last, short step too", () =>
    Effect.gen(function* () {
      // 253 images in steps of 250: 84 of c among them, all after the first 169.
      const labels = Array.from({ length: 253 }, (_, index) => (index < 100 ? 0 : index < 169 ? 1 : 2))
      const [model, dataset] = [yield* storedModel, yield* storedDataset(labels)]
      const evaluation = yield* run({ params: {}, inputs: { model, dataset } })
      if (evaluation.task !== "classification") return assert.fail(evaluation.task)
      const { confusion, metrics, perClass, protocol } = evaluation
      assert.deepStrictEqual(confusion, [
        [0, 100, 0],
        [0, 69, 0],
        [0, 84, 0]
      ])
      assert.strictEqual(metrics.top1, 69 / 253)
      assert.strictEqual(metrics.top5, 1)
      // -log softmax([0, 2, 1]), by hand: log(1 + e² + e) less the logit.
      const total = Math.log(1 + Math.E ** 2 + Math.E)
      assert.approximately(metrics.loss!, total - (69 * 2 + 84) / 253, 1e-6)
      assert.deepStrictEqual(perClass[1], { name: "b", precision: 69 / 253, recall: 1, support: 69 })
      assert.match(protocol, /253 images of 8 × 8/)
    }).pipe(Effect.provide(layer))
  )

  it.effect("takes images of another size, and says so", () =>
    Effect.gen(function* () {
      const [model, dataset] = [yield* storedModel, yield* storedDataset([1, 1], 12)]
      const { metrics, protocol } = yield* run({ params: {}, inputs: { model, dataset } })
      assert.strictEqual(metrics.top1, 1)
      assert.match(protocol, /2 images of 12 × 12/)
      const { macs } = yield* loadClassifier({ architecture, imageChannels: 1, numClasses: 3 })
      assert.strictEqual(metrics.macs, macs(12, 12), "and not what the model's own size costs")
      const withMargin = yield* storedDataset([1, 1], 12, 8)
      const ofMiddle = yield* run({ params: {}, inputs: { model, dataset: withMargin } })
      assert.match(ofMiddle.protocol, /2 images of 8 × 8/)
    }).pipe(Effect.provide(layer))
  )

  it.effect("cuts larger images from what is stored, and counts what they cost", () =>
    Effect.gen(function* () {
      const [model, dataset] = [yield* storedModel, yield* storedDataset([1, 1], 12, 8)]
      const evaluation = yield* run({ params: { imageSize: 10 }, inputs: { model, dataset } })
      assert.match(evaluation.protocol, /2 images of 10 × 10/)
      const { macs } = yield* loadClassifier({ architecture, imageChannels: 1, numClasses: 3 })
      assert.strictEqual(evaluation.metrics.macs, macs(10, 10))
      const error = yield* Effect.flip(run({ params: { imageSize: 13 }, inputs: { model, dataset } }))
      assert.match(error.message, /Images of 12 × 12 pixels are stored, and imageSize asks for 13/)
    }).pipe(Effect.provide(layer))
  )

  it("has one form for the usual size", () =>
    assert.deepStrictEqual(Schema.decodeSync(EvaluateParams)({ imageSize: null }), {}))

  it.effect.each([
    ["classes", { classes: ["b", "a", "c"] }],
    ["channels", { preprocessing: { ...preprocessing, channels: 3, mean: [0, 0, 0], std: [1, 1, 1] } }]
  ] as const)("refuses a dataset of other %s", ([field, change]) =>
    Effect.gen(function* () {
      const [model, dataset] = [yield* storedModel, yield* storedDataset([0, 1, 2])]
      const inputs = { model, dataset: { ...dataset, ...change } }
      const error = yield* Effect.flip(run({ params: {}, inputs }))
      assert.strictEqual(error._tag, "DatasetMismatch")
      assert.match(error.message, new RegExp(`The model's ${field} is .*, the dataset's is .*`))
    }).pipe(Effect.provide(layer))
  )
})
