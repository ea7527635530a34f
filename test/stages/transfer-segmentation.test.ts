/** A segmenter on a classifier's backbone, from the stage's inputs to its evaluation. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { decodeSafetensors } from "../../lib/models/safetensors.ts"
import { type BlobRef, BlobStore } from "../../lib/storage/BlobStore.ts"
import { DenseTrainingParams } from "../../lib/train/TransferParams.ts"
import { run } from "../../stages/transfer-segmentation.run.ts"
import { TransferSegmentationParams } from "../../stages/transfer-segmentation.ts"
import { segmenterOverfitSuite } from "../suites/segmenterOverfit.ts"
import { native } from "../support/runtimes.ts"
import { blobsLayer, jobLayer } from "../support/stageServices.ts"
import { storedClassifier, storedMasks } from "../support/transferCases.ts"

const layer = Layer.mergeAll(jobLayer(), native.layer, blobsLayer)

/** Scores every second pixel, so that outlines can be drawn exactly. */
const architecture = { family: "resnet-cifar", depth: 8, width: 16, shortcut: "B" } as const

/** The arrays of a safetensors blob. */
const arraysOf = (blob: BlobRef) =>
  Effect.flatMap(BlobStore, (store) => store.get(blob)).pipe(
    Effect.flatMap(decodeSafetensors),
    Effect.map(({ arrays }) => arrays)
  )

const paramsFor = (epochs: number, changes: Partial<typeof TransferSegmentationParams.Type> = {}) =>
  TransferSegmentationParams.make({
    training: DenseTrainingParams.make({
      epochs,
      batchSize: 8,
      learningRate: 0.2,
      warmupEpochs: 1,
      weightDecay: 0,
      gradientNormMax: 10
    }),
    ...changes
  })

describe.skipIf(native.skipped !== "")(`transfer to segmentation${native.skipped}`, () => {
  segmenterOverfitSuite({ epochs: 120, learningRate: 0.5, warmupEpochs: 10, meanIoU: 0.9 })

  it.effect("reports what it took, what is new and what is frozen; frozen weights stay", () =>
    Effect.gen(function* () {
      const dataset = yield* storedMasks
      const classifier = yield* storedClassifier(architecture)
      const params = paramsFor(2, { frozen: ["conv1", "bn1"] })
      const { transferred, weights } = yield* run({ params, inputs: { dataset, classifier } })
      assert.deepStrictEqual([...transferred.unused].sort(), ["fc.bias", "fc.weight"])
      assert.deepStrictEqual(
        [...transferred.frozen].sort(),
        ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"].sort()
      )
      assert.isTrue(transferred.fresh.every((name) => /^classifier\./.test(name)))
      assert.include(transferred.taken, "layer3.0.conv2.weight")
      const [before, after] = yield* Effect.forEach([classifier.weights, weights], arraysOf)
      for (const name of transferred.frozen) assert.deepStrictEqual(after![name], before![name], name)
      assert.notDeepEqual(after!["layer1.0.conv1.weight"], before!["layer1.0.conv1.weight"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("takes a classifier of stride 32 at stride 8, with all of its weights", () =>
    Effect.gen(function* () {
      const dataset = yield* storedMasks
      const small = { family: "resnet", depth: 10, width: 4 } as const
      const classifier = yield* storedClassifier(small)
      const params = paramsFor(1, { outputStride: 8, head: { skip: null } })
      const segmenter = yield* run({ params, inputs: { dataset, classifier } })
      assert.deepStrictEqual(segmenter.architecture, { ...small, outputStride: 8 })
      assert.isTrue(segmenter.transferred.fresh.every((name) => /^classifier\./.test(name)))
      const refused = yield* run({
        params,
        inputs: { dataset, classifier: yield* storedClassifier(architecture) }
      }).pipe(Effect.flip)
      assert.match(refused.message, /"resnet-cifar" come in one output stride.*leave outputStride out/is)
    }).pipe(Effect.provide(layer))
  )
})
