/** A toy classifier goes on learning at another size, on the portable runtime. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { encodeLabelledImages } from "../../lib/data/labelled-images.ts"
import { decodeSafetensors } from "../../lib/models/safetensors.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { TrainingParams } from "../../lib/train/TrainingParams.ts"
import { JobContext } from "../../lib/workflow/JobContext.ts"
import type { ClassifierValue, PreparedDatasetValue } from "../../stages/artifacts.ts"
import { run as fineTune } from "../../stages/fine-tune.run.ts"
import { FineTuneParams } from "../../stages/fine-tune.ts"
import { run as pretrain } from "../../stages/pretrain.run.ts"
import { toyDataset } from "../suites/trainer.ts"
import { portable } from "../support/runtimes.ts"
import { blobsLayer, foldingJob, jobLayer } from "../support/stageServices.ts"

const layer = Layer.mergeAll(jobLayer(), portable.layer, blobsLayer)
const architecture = { family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" } as const

/** The toy's images, `times` as large, each of them with a mean of its own. */
const datasetOf = Effect.fnUntraced(function* (times: number) {
  const [size, own] = [8 * times, toyDataset.images]
  const at = (index: number) => {
    const [image, row, column] = [
      Math.floor(index / size ** 2),
      Math.floor(index / size) % size,
      index % size
    ]
    return own[image * 64 + Math.floor(row / times) * 8 + Math.floor(column / times)]!
  }
  const bytes = encodeLabelledImages({
    ...toyDataset,
    ...{ height: size, width: size },
    images: Uint8Array.from({ length: own.length * times ** 2 }, (_, index) => at(index))
  })
  const split = { numExamples: toyDataset.labels.length, tensors: yield* (yield* BlobStore).put(bytes) }
  const dataset: PreparedDatasetValue<"classification"> = {
    _tag: "PreparedDataset",
    task: "classification",
    classes: ["upper", "lower"],
    preprocessing: {
      height: size,
      width: size,
      channels: 1,
      fit: "stretch",
      mean: [0.5 * times],
      std: [0.25]
    },
    ...{ train: split, validation: split, test: split, quarantined: [], counts: {} }
  }
  return dataset
})

const trained = Effect.gen(function* () {
  const training = TrainingParams.make({ epochs: 2, batchSize: 8, learningRate: 0.05 })
  return yield* pretrain({ params: { architecture, training }, inputs: { dataset: yield* datasetOf(1) } })
})

const paramsOf = (changes: Partial<typeof FineTuneParams.Encoded> = {}) =>
  Schema.decodeSync(FineTuneParams)({ training: { epochs: 1, batchSize: 8, learningRate: 0.05 }, ...changes })

const changedWeights = Effect.fnUntraced(function* (before: ClassifierValue, after: ClassifierValue) {
  const store = yield* BlobStore
  const [old, now] = yield* Effect.forEach([before, after], ({ weights }) =>
    Effect.flatMap(store.get(weights), decodeSafetensors)
  )
  const valuesOf = (file: typeof old, name: string) => [...file!.arrays[name]!.values]
  return Object.keys(old!.arrays).filter((name) =>
    valuesOf(old, name).some((value, at) => value !== valuesOf(now, name)[at])
  )
})

describe("fine-tune", () => {
  it.effect("moves the last layers at the new size, and nothing else", () =>
    Effect.gen(function* () {
      const [classifier, dataset] = [yield* trained, yield* datasetOf(2)]
      const tuned = yield* fineTune({ params: paramsOf(), inputs: { classifier, dataset } })
      assert.sameMembers(yield* changedWeights(classifier, tuned), [
        ...["weight", "bias", "running_mean", "running_var"].map((name) => `layer3.0.bn2.${name}`),
        ...["fc.weight", "fc.bias"]
      ])
      const { height, mean, width } = tuned.preprocessing
      assert.deepStrictEqual([height, width, ...mean], [16, 16, 0.5], "normalised as it is used to")
      assert.isAbove(tuned.macs, classifier.macs)
      assert.lengthOf(tuned.history, 1)
    }).pipe(Effect.provide(layer))
  )

  it.effect("moves what is named, and goes on over more epochs", () =>
    Effect.gen(function* () {
      const [classifier, dataset] = [yield* trained, yield* datasetOf(2)]
      const executed: Array<number> = []
      const tuned = (epochs: number) =>
        fineTune({
          params: paramsOf({
            trained: ["fc.bias"],
            training: { epochs, batchSize: 8, warmupEpochs: 0, lrSchedule: { kind: "constant" } }
          }),
          inputs: { classifier, dataset }
        }).pipe(Effect.provideServiceEffect(JobContext, foldingJob(`${epochs}`, { executed, notes: [] })))
      assert.deepStrictEqual(yield* changedWeights(classifier, yield* tuned(2)), ["fc.bias"])
      yield* tuned(3)
      assert.deepStrictEqual(executed, [1, 2, 3])
    }).pipe(Effect.provide(layer))
  )

  it.effect("refuses other classes, and parts that there are none of", () =>
    Effect.gen(function* () {
      const [classifier, dataset] = [yield* trained, yield* datasetOf(1)]
      const others = { ...dataset, classes: ["lower", "upper"] }
      const failed = (params: typeof FineTuneParams.Type, given: typeof dataset) =>
        Effect.flip(fineTune({ params, inputs: { classifier, dataset: given } }))
      assert.strictEqual((yield* failed(paramsOf(), others))._tag, "ClassifierMismatch")
      const { message } = yield* failed(paramsOf({ trained: ["layer4"] }), dataset)
      assert.match(message, /Nothing to train is named "layer4"/)
    }).pipe(Effect.provide(layer))
  )

  it("takes no params of what it does not do", () => {
    const decode = Schema.decodeUnknownSync(FineTuneParams, { onExcessProperty: "error" })
    for (const excess of ["zeroGamma", "initializer", "stochasticDepth", "imageSizes", "auxiliaryWeight"]) {
      assert.throws(() => decode({ training: { epochs: 1, [excess]: null } }), excess)
    }
    assert.throws(() => decode({ trained: [], training: { epochs: 1 } }))
    assert.throws(() => decode({ training: { epochs: 1, targetThreshold: 0.5 } }), /targetThreshold is for/)
    assert.deepStrictEqual(decode({ trained: null, training: { epochs: 1 } }), paramsOfOne)
  })
  const paramsOfOne = Schema.decodeSync(FineTuneParams)({ training: { epochs: 1 } })
})
