/** Detectors and segmenters go on from states that are there, and reach the same bytes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Ref } from "effect"
import { JobContext } from "../../lib/workflow/JobContext.ts"
import { run as transferDetection } from "../../stages/transfer-detection.run.ts"
import { TransferDetectionParams } from "../../stages/transfer-detection.ts"
import { run as transferSegmentation } from "../../stages/transfer-segmentation.run.ts"
import { TransferSegmentationParams } from "../../stages/transfer-segmentation.ts"
import { portable } from "../support/runtimes.ts"
import { blobsLayer, foldingJob, jobLayer } from "../support/stageServices.ts"
import { storedBoxes, storedClassifier, storedMasks } from "../support/transferCases.ts"

const architecture = { family: "resnet", depth: 10, width: 4 } as const
const training = {
  batchSize: 4,
  learningRate: 0.01,
  augment: { flip: true, scale: [0.8, 1.25] }
} as const
const layer = Layer.mergeAll(jobLayer(), portable.layer, blobsLayer)

/** A job that is stopped when it asks for the n-th time, and remembers the state it saved. */
const stoppedJob = Effect.fnUntraced(function* (saved: Ref.Ref<Option.Option<Uint8Array>>, asks: number) {
  const asked = yield* Ref.make(0)
  return JobContext.of({
    ...(yield* foldingJob("transfer")),
    stopRequested: Ref.modify(asked, (count) => [count >= asks, count + 1] as const),
    loadResumePoint: Ref.get(saved),
    saveResumePoint: (bytes) => Ref.set(saved, Option.some(bytes))
  })
})

const detector = Effect.fnUntraced(function* (epochs: number) {
  const inputs = { dataset: yield* storedBoxes, classifier: yield* storedClassifier(architecture) }
  const head = { channels: 8, extraLevels: 0, towerConvs: 1 }
  return yield* transferDetection({
    params: TransferDetectionParams.make({ head, training: { ...training, epochs } }),
    inputs
  })
})

const segmenter = Effect.fnUntraced(function* (epochs: number) {
  const inputs = { dataset: yield* storedMasks, classifier: yield* storedClassifier(architecture) }
  return yield* transferSegmentation({
    params: TransferSegmentationParams.make({ training: { ...training, epochs } }),
    inputs
  })
})

// Two steps an epoch: stopped within the first, after it, and within the second.
const suite = <A, E extends { readonly _tag: string }>(
  name: string,
  stageFor: (epochs: number) => Effect.Effect<A, E, Layer.Success<typeof layer>>
) => {
  const stage = stageFor(2)
  it.effect.each([1, 2, 3])(`${name}: goes on from step %i to the same bytes`, (steps) =>
    Effect.gen(function* () {
      const whole = yield* stage
      const saved = yield* Ref.make(Option.none<Uint8Array>())
      const stopped = yield* Effect.flip(
        Effect.provideServiceEffect(stage, JobContext, stoppedJob(saved, steps))
      )
      assert.strictEqual(stopped._tag, "JobStopped")
      const resumed = yield* Effect.provideServiceEffect(
        stage,
        JobContext,
        stoppedJob(saved, Number.POSITIVE_INFINITY)
      )
      assert.deepStrictEqual(resumed, whole)
    }).pipe(Effect.provide(layer))
  )

  it.effect(`${name}: after a run of its warm-up alone, executes the epochs that are left`, () =>
    Effect.gen(function* () {
      const record = { executed: [], notes: [] }
      yield* Effect.provideServiceEffect(stageFor(1), JobContext, foldingJob("warm-up"))
      const longer = yield* Effect.provideServiceEffect(stage, JobContext, foldingJob("both", record))
      assert.deepStrictEqual(record.executed, [2])
      assert.deepStrictEqual(longer, yield* stage)
    }).pipe(Effect.provide(layer))
  )
}

describe("a transfer that was begun", () => {
  suite("detector", detector)
  suite("segmenter", segmenter)
})
