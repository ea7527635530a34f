/** One step of the training loop: an update by the parts of its batch, or a stop between two of them. */
import { Effect } from "effect"
import type { BatchPosition, TrainingBatches } from "../data/batches.ts"
import type { ImagesError } from "../data/ShardedImages.ts"
import type { Weights } from "../nn/Weights.ts"
import type { Numerics, TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import { DivergedError } from "./DivergedError.ts"
import { added, type EpochSums, skippedSteps, withUpdate } from "./epoch-sums.ts"
import { type LrScheduleOptions, learningRateAt } from "./lr-schedules.ts"
import type { Prefetch } from "./Prefetch.ts"
import type { throttled } from "./Progress.ts"
import type { ResumePoint } from "./ResumePoint.ts"
import type { Validation } from "./Trainer.ts"
import type { OptimizationParams } from "./TrainingParams.ts"
import type { PartOutcome, TrainingSession } from "./TrainingSession.ts"

/** Where the loop is: a ResumePoint less the arrays, which live in variables. */
export type Cursor = Pick<ResumePoint, "epoch" | "step" | "sums" | "history">

/** What stays the same from the first step to the last. */
export interface Running<I extends string> {
  readonly batches: TrainingBatches<I>
  readonly params: LrScheduleOptions & Pick<OptimizationParams, "lossScale">
  readonly session: TrainingSession<I>
  readonly validate: Effect.Effect<Validation, TensorError | ImagesError> | undefined
  readonly prefetch: Prefetch<I>
  readonly tell: Effect.Success<ReturnType<typeof throttled>>
  readonly computedWith: ReadonlyArray<Numerics>
}

export type StepEnd =
  | { readonly _tag: "Done"; readonly cursor: Cursor }
  /** On request; `statistics` are those before the step, the other weights have not changed. */
  | { readonly _tag: "Stopped"; readonly statistics: Weights }

/**
 * One update, by the parts of its batch; while one is computed, the next is made. `stopRequested` is asked
 * before each. Fails with `DivergedError`, `ImagesError`, tensor errors.
 */
export const runStep = Effect.fnUntraced(function* <I extends string>(
  running: Running<I>,
  cursor: Cursor,
  stopRequested: Effect.Effect<boolean>
): Effect.fn.Return<StepEnd, TensorError | ImagesError | DivergedError, TensorRuntime> {
  const { batches, params, prefetch, session, tell } = running
  const { epochs, stepsPerEpoch } = params
  const stepOfRun = cursor.epoch * stepsPerEpoch + cursor.step
  const learningRate = learningRateAt(params, stepOfRun)
  const { batchSize } = batches
  const shapes = batches.shapesIn?.(cursor.epoch)
  const statistics = session.numParts === 1 ? {} : yield* session.statistics
  let { sums } = cursor
  for (let part = 0; part < session.numParts; part++) {
    if (yield* stopRequested) return { _tag: "Stopped", statistics }
    const isLast = part + 1 === session.numParts
    const outcome = yield* prefetch.overlap(
      (feeds) => session.runPart(feeds, learningRate, isLast, shapes),
      isLast ? partPosition(session, positionAfter(cursor, params)) : partPosition(session, cursor, part + 1)
    )
    const { isSkipped, loss, lossScale, measures } = outcome
    sums = added(sums, { loss: { total: loss * batchSize, weight: batchSize }, ...measures })
    if (isSkipped !== undefined) sums = withUpdate(sums, isSkipped)
    const what = whatDiverged(running, outcome, sums)
    if (what !== undefined) {
      const lastGoodEpoch = cursor.epoch
      return yield* new DivergedError({ what, step: stepOfRun + 1, learningRate, lossScale, lastGoodEpoch })
    }
    yield* tell({
      ...{ epoch: cursor.epoch + 1, epochs, step: cursor.step + (isLast ? 1 : 0), steps: stepsPerEpoch },
      ...{ part: isLast ? 0 : part + 1, parts: session.numParts },
      loss: sums.loss!.total / sums.loss!.weight,
      scaling: lossScale === null ? undefined : { lossScale, skippedSteps: skippedSteps(sums) }
    })
  }
  return { _tag: "Done", cursor: { ...cursor, step: cursor.step + 1, sums } }
})

/**
 * A loss that is no number, or gradients that are none: in a step that nothing scales, or in all steps of an
 * epoch with a static scale.
 */
const whatDiverged = <I extends string>(
  { params }: Running<I>,
  { isSkipped, loss, lossScale }: PartOutcome,
  sums: EpochSums
): DivergedError["what"] | undefined => {
  if (!Number.isFinite(loss)) return "loss"
  const isStatic = typeof params.lossScale === "number"
  const isHopeless = lossScale === 1 || (isStatic && skippedSteps(sums) === params.stepsPerEpoch)
  return isSkipped === true && isHopeless ? "gradients" : undefined
}

/** Where a part of a step's batch is found among all parts. */
export const partPosition = <P extends BatchPosition | undefined>(
  { numParts }: { readonly numParts: number },
  position: P,
  part = 0
) => position && { epoch: position.epoch, step: position.step * numParts + part }

const positionAfter = (
  { epoch, step }: BatchPosition,
  { epochs, stepsPerEpoch }: LrScheduleOptions
): BatchPosition | undefined => {
  if (step + 1 < stepsPerEpoch) return { epoch, step: step + 1 }
  return epoch + 1 < epochs ? { epoch: epoch + 1, step: 0 } : undefined
}
