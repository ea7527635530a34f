/** Detectors and segmenters that were stopped go on from their state, and reach the same bytes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Ref } from "effect"
import { JobContext } from "../../lib/workflow/JobContext.ts"
import { run as transferDetection } from "../../stages/transfer-detection.run.ts"
import { TransferDetectionParams } from "../../stages/transfer-detection.ts"
import { run as transferSegmentation } from "../../stages/transfer-segmentation.run.ts"
import { TransferSegmentationParams } from "../../stages/transfer-segmentation.ts"
import { portable } from "../support/runtimes.ts"
import { blobsLayer, jobLayer } from "../support/stageServices.ts"
import { storedBoxes, storedClassifier, storedMasks } from "../support/transferCases.ts"

const architecture = { family: "resnet", depth: 10, width: 4 } as const
const training = {
  epochs: 2,
  batchSize: 4,
  learningRate: 0.01,
  augment: { flip: true, scale: [0.8, 1.25] }
} as const
const layer = Layer.mergeAll(jobLayer(), portable.layer, blobsLayer)

/** A job that is stopped when it asks for the n-th time, and remembers the state it saved. */
const stoppedJob = Effect.fnUntraced(function* (saved: Ref.Ref<Option.Option<Uint8Array>>, asks: number) {
  const asked = yield* Ref.make(0)
  return JobContext.of({
    ...(yield* JobContext),
    stopRequested: Ref.modify(asked, (count) => [count >= asks, count + 1] as const),
    loadResumePoint: Ref.get(saved),
    saveResumePoint: (bytes) => Ref.set(saved, Option.some(bytes))
  })
})

const detector = Effect.gen(function* () {
  const inputs = { dataset: yield* storedBoxes, classifier: yield* storedClassifier(architecture) }
  const head = { channels: 8, extraLevels: 0, towerConvs: 1 }
  return yield* transferDetection({ params: TransferDetectionParams.make({ head, training }), inputs })
})

const segmenter = Effect.gen(function* () {
  const inputs = { dataset: yield* storedMasks, classifier: yield* storedClassifier(architecture) }
  return yield* transferSegmentation({ params: TransferSegmentationParams.make({ training }), inputs })
})

// Two steps an epoch: stopped within the first, and after it.
const suite = <A, E extends { readonly _tag: string }>(
  name: string,
  stage: Effect.Effect<A, E, Layer.Success<typeof layer>>
) =>
  it.effect.each([1, 2])(`${name}: goes on from step %i to the same bytes`, (steps) =>
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

describe("a transfer that was stopped", () => {
  suite("detector", detector)
  suite("segmenter", segmenter)
})
