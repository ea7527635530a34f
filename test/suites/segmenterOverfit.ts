/** A segmenter that learns eight images by heart, from the stage's inputs to its evaluation. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { DenseTrainingParams } from "../../lib/train/TransferParams.ts"
import { run as evaluate } from "../../stages/evaluate.run.ts"
import { run } from "../../stages/transfer-segmentation.run.ts"
import { TransferSegmentationParams } from "../../stages/transfer-segmentation.ts"
import { native } from "../support/runtimes.ts"
import { blobsLayer, jobLayer } from "../support/stageServices.ts"
import { storedClassifier, storedMasks } from "../support/transferCases.ts"

/** Scores every second pixel, so that outlines can be drawn exactly. */
const architecture = { family: "resnet-cifar", depth: 8, width: 16, shortcut: "B" } as const

export const segmenterOverfitSuite = (expected: {
  readonly epochs: number
  readonly learningRate: number
  readonly warmupEpochs: number
  readonly meanIoU: number
}) => {
  const { epochs, learningRate, meanIoU, warmupEpochs } = expected
  it.effect(
    `learns eight images by heart in ${epochs} epochs: mIoU at least ${meanIoU}`,
    () =>
      Effect.gen(function* () {
        const dataset = yield* storedMasks
        const classifier = yield* storedClassifier(architecture)
        const segmenter = yield* run({ params: overfitting, inputs: { dataset, classifier } })
        const evaluation = yield* evaluate({ params: {}, inputs: { model: segmenter, dataset } })
        assert.isAtLeast(evaluation.metrics.meanIoU!, meanIoU)
        assert.strictEqual(segmenter.history.length, epochs)
        const [first, last] = [segmenter.history[0]!, segmenter.history.at(-1)!]
        assert.isAbove(last.validation.meanIoU!, first.validation.meanIoU!)
      }).pipe(Effect.provide(Layer.mergeAll(jobLayer(), native.layer, blobsLayer))),
    300_000
  )
  const overfitting = TransferSegmentationParams.make({
    training: DenseTrainingParams.make({
      epochs,
      batchSize: 8,
      learningRate,
      warmupEpochs,
      weightDecay: 0,
      gradientNormMax: 10
    })
  })
}
