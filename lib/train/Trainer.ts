/**
 * The training loop: one for every task. It starts from a ResumePoint and hands out others, and whoever
 * starts from one of those reaches the same bytes as if nothing had happened in between.
 */
import { Clock, Effect, Schema, type Scope } from "effect"
import type { TrainingBatches } from "../data/batches.ts"
import type { ImagesError } from "../data/ShardedImages.ts"
import type { Weights } from "../nn/Weights.ts"
import { type TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import type { DivergedError } from "./DivergedError.ts"
import type { EpochRecord } from "./EpochRecord.ts"
import { means, noSums, skippedSteps } from "./epoch-sums.ts"
import { learningRateAt } from "./lr-schedules.ts"
import { Prefetch } from "./Prefetch.ts"
import { type OnProgress, throttled } from "./Progress.ts"
import { goingOnWith, type ResumePoint } from "./ResumePoint.ts"
import type { Task } from "./Task.ts"
import type { OptimizationParams } from "./TrainingParams.ts"
import { openSession } from "./TrainingSession.ts"
import { type Cursor, partPosition, type Running, runStep } from "./training-step.ts"
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
  /** Asked before each part of a step: what the step has done by then is given up. */
  readonly stopRequested?: Effect.Effect<boolean> | undefined
}

export interface TrainResult {
  readonly status: "finished" | "stopped"
  readonly state: ResumePoint
  /** Of this process: time spent on making batches, and the part of it that steps waited for. */
  readonly dataSeconds: { readonly preparing: number; readonly waiting: number }
}

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
        const end = yield* runStep(running, cursor, stopRequested)
        if (end._tag === "Stopped") {
          const state = yield* stateOf(running, cursor, end.statistics)
          yield* save(state, "stop")
          return { status: "stopped", state, dataSeconds: running.prefetch.seconds }
        }
        cursor = end.cursor
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
  { epoch, step, sums, history }: Cursor,
  statistics: Weights = {}
) =>
  Effect.map(session.read, (arrays): ResumePoint => {
    const weights = { ...arrays.weights, ...statistics }
    return { epoch, step, sums, history, computedWith, ...arrays, weights }
  })
