/**
 * The training loop: one for every task. It starts from a ResumePoint and hands out others, and whoever
 * starts from one of those reaches the same bytes as if nothing had happened in between.
 */
import { Clock, Effect, Schema, type Scope } from "effect"
import type { BatchPosition, TrainingBatches } from "../data/batches.ts"
import type { ImagesError } from "../data/ShardedImages.ts"
import { type Numerics, type TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import { DivergedError } from "./DivergedError.ts"
import type { EpochRecord } from "./EpochRecord.ts"
import { added, type EpochSums, means, noSums, skippedSteps, withUpdate } from "./epoch-sums.ts"
import { type LrScheduleOptions, learningRateAt } from "./lr-schedules.ts"
import { Prefetch } from "./Prefetch.ts"
import { type OnProgress, throttled } from "./Progress.ts"
import { goingOnWith, type ResumePoint } from "./ResumePoint.ts"
import type { Task } from "./Task.ts"
import type { OptimizationParams } from "./TrainingParams.ts"
import { openSession, type PartOutcome, type TrainingSession } from "./TrainingSession.ts"
import type { Variables } from "./variables.ts"

/** There is not even one whole batch to train on. */
export class TooFewExamples extends Schema.TaggedError<TooFewExamples>()("TooFewExamples", {
  numExamples: Schema.Int,
  batchSize: Schema.Int
}) {
  override get message() {
    return (
      `The training set has ${this.numExamples} examples, fewer than one batch (${this.batchSize}): ` +
      `set batchSize to ${this.numExamples} or less, or bring more images.`
    )
  }
}

/** Measures by name, `loss` among them if the task has one to tell. */
export type Validation = Readonly<Record<string, number>>

/** Made once, run after every epoch on the weights as they then are. */
export type MakeValidation = (
  weights: Variables
) => Effect.Effect<
  Effect.Effect<Validation, TensorError | ImagesError>,
  TensorError,
  TensorRuntime | Scope.Scope
>

export type SaveReason = "epoch" | "interval" | "stop"

export interface TrainOptions<I extends string, O extends string, E, R> {
  readonly task: Task<I, O>
  /** Of `microBatchSize` examples where the params say so: the parts that make up the batch of a step. */
  readonly batches: TrainingBatches<I>
  readonly params: Omit<OptimizationParams, "initializer" | "seed">
  readonly start: ResumePoint
  readonly validation?: MakeValidation | undefined
  /** Called after every epoch, every `saveIntervalMillis` within one, and before stopping on request. */
  readonly save?: ((state: ResumePoint, reason: SaveReason) => Effect.Effect<void, E, R>) | undefined
  readonly saveIntervalMillis?: number | undefined
  readonly onProgress?: OnProgress | undefined
  /** Asked between steps. */
  readonly stopRequested?: Effect.Effect<boolean> | undefined
}

export interface TrainResult {
  readonly status: "finished" | "stopped"
  readonly state: ResumePoint
  /** Of this process: time spent on making batches, and the part of it that steps waited for. */
  readonly dataSeconds: { readonly preparing: number; readonly waiting: number }
}

/** Where the loop is: a ResumePoint less the arrays, which live in variables. */
type Cursor = Pick<ResumePoint, "epoch" | "step" | "sums" | "history">

/** Trains until `params.epochs` epochs are done or a stop is asked for. */
export const train = <I extends string, O extends string, E = never, R = never>(
  options: TrainOptions<I, O, E, R>
): Effect.Effect<
  TrainResult,
  E | TensorError | ImagesError | DivergedError | TooFewExamples,
  R | TensorRuntime
> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { params, batches, save = () => Effect.void, stopRequested = Effect.succeed(false) } = options
      const { batchSize } = params
      const stepsPerEpoch = stepsOfEpoch(batches, params)
      if (stepsPerEpoch === 0) {
        return yield* new TooFewExamples({ batchSize, numExamples: batches.numExamples })
      }
      const running = yield* begin(options, stepsPerEpoch)
      let cursor: Cursor = options.start
      let savedAt = yield* Clock.currentTimeMillis
      if (cursor.epoch < params.epochs) {
        yield* running.prefetch.begin(partPosition(running.session, cursor))
      }
      while (cursor.epoch < params.epochs) {
        if (yield* stopRequested) {
          const state = yield* stateOf(running, cursor)
          yield* save(state, "stop")
          return { status: "stopped", state, dataSeconds: running.prefetch.seconds }
        }
        cursor = yield* runStep(running, cursor)
        const now = yield* Clock.currentTimeMillis
        if (cursor.step === stepsPerEpoch) {
          cursor = yield* endEpoch(running, cursor)
          yield* save(yield* stateOf(running, cursor), "epoch")
          savedAt = now
        } else if (now - savedAt >= (options.saveIntervalMillis ?? Number.POSITIVE_INFINITY)) {
          yield* save(yield* stateOf(running, cursor), "interval")
          savedAt = now
        }
      }
      const state = yield* stateOf(running, cursor)
      return { status: "finished", state, dataSeconds: running.prefetch.seconds }
    })
  )

/** Updates in an epoch; what is left of its examples makes no whole batch and is not seen. */
export const stepsOfEpoch = (
  batches: Pick<TrainingBatches<string>, "batchSize" | "stepsPerEpoch">,
  { batchSize }: Pick<OptimizationParams, "batchSize">
): number => Math.floor(batches.stepsPerEpoch / (batchSize / batches.batchSize))

/** What stays the same from the first step to the last. */
interface Running<I extends string> {
  readonly batches: TrainingBatches<I>
  readonly params: LrScheduleOptions & Pick<OptimizationParams, "lossScale">
  readonly session: TrainingSession<I>
  readonly validate: Effect.Effect<Validation, TensorError | ImagesError> | undefined
  readonly prefetch: Prefetch<I>
  readonly tell: Effect.Success<ReturnType<typeof throttled>>
  readonly computedWith: ReadonlyArray<Numerics>
}

const begin = Effect.fn("Trainer.begin")(function* <I extends string, O extends string, E, R>(
  options: TrainOptions<I, O, E, R>,
  stepsPerEpoch: number
) {
  const { batches, params, start } = options
  const { numerics } = yield* TensorRuntime
  const session = yield* openSession(options)
  const validate = options.validation === undefined ? undefined : yield* options.validation(session.resulting)
  const tell = yield* throttled(options.onProgress ?? (() => Effect.void), batches.batchSize)
  const prefetch = yield* Prefetch.make<I>(batches, session.allocate)
  return {
    batches,
    params: { ...params, stepsPerEpoch },
    session,
    validate,
    prefetch,
    tell,
    // Nothing is computed where no epoch is left.
    computedWith: start.epoch < params.epochs ? goingOnWith(start.computedWith, numerics) : start.computedWith
  } satisfies Running<I>
})

/** One update, by the parts of its batch; while one is computed, the next is made. */
const runStep = Effect.fnUntraced(function* <I extends string>(running: Running<I>, cursor: Cursor) {
  const { batches, params, prefetch, session, tell } = running
  const { epochs, stepsPerEpoch } = params
  const stepOfRun = cursor.epoch * stepsPerEpoch + cursor.step
  const learningRate = learningRateAt(params, stepOfRun)
  const { batchSize } = batches
  const shapes = batches.shapesIn?.(cursor.epoch)
  let { sums } = cursor
  for (let part = 0; part < session.numParts; part++) {
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
      loss: sums.loss!.total / sums.loss!.weight,
      scaling: lossScale === null ? undefined : { lossScale, skippedSteps: skippedSteps(sums) }
    })
  }
  return { ...cursor, step: cursor.step + 1, sums }
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
const partPosition = <P extends BatchPosition | undefined>(
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

/** Validates, writes the epoch into the history and moves to the start of the next. */
const endEpoch = Effect.fnUntraced(function* <I extends string>(
  { params, session, validate }: Running<I>,
  { epoch, sums, history }: Cursor
) {
  const validation = validate === undefined ? undefined : yield* validate
  const lossScale = yield* session.lossScale
  const record: EpochRecord = {
    epoch: epoch + 1,
    learningRate: learningRateAt(params, (epoch + 1) * params.stepsPerEpoch - 1),
    ...(lossScale && { lossScale: lossScale.scale, skippedSteps: skippedSteps(sums) }),
    train: means(sums),
    validation: validation ?? {}
  }
  return { epoch: epoch + 1, step: 0, sums: noSums, history: [...history, record] }
})

const stateOf = <I extends string>(
  { computedWith, session }: Running<I>,
  { epoch, step, sums, history }: Cursor
) =>
  Effect.map(session.read, (arrays): ResumePoint => ({ epoch, step, sums, history, computedWith, ...arrays }))
