/** A detector on a classifier's backbone, from the stage's inputs to its evaluation. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { decodeSafetensors } from "../../lib/models/safetensors.ts"
import { type BlobRef, BlobStore } from "../../lib/storage/BlobStore.ts"
import { DenseTrainingParams } from "../../lib/train/TransferParams.ts"
import { run as evaluate } from "../../stages/evaluate.run.ts"
import { run } from "../../stages/transfer-detection.run.ts"
import { TransferDetectionParams } from "../../stages/transfer-detection.ts"
import { native } from "../support/runtimes.ts"
import { blobsLayer, jobLayer } from "../support/stageServices.ts"
import { storedBoxes, storedClassifier } from "../support/transferCases.ts"

const layer = Layer.mergeAll(jobLayer(), native.layer, blobsLayer)

const architecture = { family: "resnet", depth: 10, width: 16 } as const

/** The arrays of a safetensors blob. */
const arraysOf = (blob: BlobRef) =>
  Effect.flatMap(BlobStore, (store) => store.get(blob)).pipe(
    Effect.flatMap(decodeSafetensors),
    Effect.map(({ arrays }) => arrays)
  )

const paramsFor = (epochs: number, changes: { readonly frozen?: ReadonlyArray<string> } = {}) =>
  TransferDetectionParams.make({
    head: { channels: 32, extraLevels: 0, towerConvs: 1 },
    anchors: { kind: "kmeans", perLevel: 3 },
    training: DenseTrainingParams.make({
      epochs,
      batchSize: 8,
      learningRate: 0.01,
      warmupEpochs: 20,
      weightDecay: 0,
      gradientNormMax: 10
    }),
    ...changes
  })

describe.skipIf(native.skipped !== "")(`transfer to detection${native.skipped}`, () => {
  it.effect(
    "overfits eight images: AP50 at least 0.99",
    () =>
      Effect.gen(function* () {
        const dataset = yield* storedBoxes
        const classifier = yield* storedClassifier(architecture)
        const detector = yield* run({ params: paramsFor(120), inputs: { dataset, classifier } })
        const evaluation = yield* evaluate({ params: {}, inputs: { model: detector, dataset } })
        assert.isAtLeast(evaluation.metrics.ap50!, 0.99)
        assert.strictEqual(detector.history.length, 120)
        assert.isAbove(detector.history.at(-1)!.validation.ap50!, detector.history[0]!.validation.ap50!)
      }).pipe(Effect.provide(layer)),
    120_000
  )

  it.effect("reports what it took, what is new and what is frozen; frozen weights stay", () =>
    Effect.gen(function* () {
      const dataset = yield* storedBoxes
      const classifier = yield* storedClassifier(architecture)
      const params = paramsFor(2, { frozen: ["conv1", "bn1"] })
      const { transferred, weights } = yield* run({ params, inputs: { dataset, classifier } })
      assert.deepStrictEqual([...transferred.unused].sort(), ["fc.bias", "fc.weight"])
      assert.deepStrictEqual(
        [...transferred.frozen].sort(),
        ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"].sort()
      )
      assert.isTrue(transferred.fresh.every((name) => /^(fpn|head)\./.test(name)))
      assert.include(transferred.taken, "layer4.0.conv2.weight")
      const [before, after] = yield* Effect.forEach([classifier.weights, weights], arraysOf)
      for (const name of transferred.frozen) assert.deepStrictEqual(after![name], before![name], name)
      assert.notDeepEqual(after!["layer1.0.conv1.weight"], before!["layer1.0.conv1.weight"])
    }).pipe(Effect.provide(layer))
  )
})
