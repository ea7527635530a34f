/**
 * The training loop: one for every task. It starts from a ResumePoint and hands out others, and whoever
 * starts from one of those reaches the same bytes as if nothing had happened in between.
 */
import { Clock, Effect, Schema, type Scope } from "effect"
import type { TrainingBatches } from "../data/batches.ts"
import { isTrainable } from "../nn/Weights.ts"
import { type Compiled, type TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import type { tf } from "../tensor/tf.ts"
import type { EpochRecord } from "./EpochRecord.ts"
import { firstLossScale, type LossScaling, makeLossScaling, readLossScaling } from "./loss-scaling.ts"
import { learningRateAt } from "./lr-schedules.ts"
import { Prefetch } from "./Prefetch.ts"
import { type OnProgress, throttled } from "./Progress.ts"
import { type EpochSums, noSums, type ResumePoint } from "./ResumePoint.ts"
import type { Share, Task } from "./Task.ts"
import type { OptimizationParams } from "./TrainingParams.ts"
import { trainStep } from "./train-step.ts"
import { makeVariables, readVariables, type Variables } from "./variables.ts"

/** The loss is not a number any more: nothing that follows can be right. */
export class DivergedError extends Schema.TaggedError<DivergedError>()("DivergedError", {
  /** From 1, over the whole run. */
  step: Schema.Int,
  learningRate: Schema.Number,
  /** The last epoch that ended well, from 1; 0: none did. */
  lastGoodEpoch: Schema.Int
}) {
  override get message() {
    const rate = this.learningRate.toPrecision(3)
    return (
      `The loss stopped being finite at step ${this.step} (learning rate ${rate}); the last good state is ` +
      `that of epoch ${this.lastGoodEpoch}. Lower the learning rate or warm up longer.`
    )
  }
}

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
) => Effect.Effect<Effect.Effect<Validation, TensorError>, TensorError, TensorRuntime | Scope.Scope>

export type SaveReason = "epoch" | "interval" | "stop"

export interface TrainOptions<I extends string, O extends string, E, R> {
  readonly task: Task<I, O>
  readonly batches: TrainingBatches<I>
  readonly params: Omit<OptimizationParams, "batchSize" | "initializer" | "seed">
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
): Effect.Effect<TrainResult, E | TensorError | DivergedError | TooFewExamples, R | TensorRuntime> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { params, batches, save = () => Effect.void, stopRequested = Effect.succeed(false) } = options
      const { batchSize, numExamples, stepsPerEpoch } = batches
      if (stepsPerEpoch === 0) return yield* new TooFewExamples({ batchSize, numExamples })
      const session = yield* openSession(options)
      let cursor: Cursor = options.start
      let savedAt = yield* Clock.currentTimeMillis
      if (cursor.epoch < params.epochs) yield* session.prefetch.begin(cursor)
      while (cursor.epoch < params.epochs) {
        if (yield* stopRequested) {
          const state = yield* stateOf(session, cursor)
          yield* save(state, "stop")
          return { status: "stopped", state, dataSeconds: session.prefetch.seconds }
        }
        cursor = yield* runStep(session, cursor)
        const now = yield* Clock.currentTimeMillis
        if (cursor.step === batches.stepsPerEpoch) {
          cursor = yield* endEpoch(session, cursor)
          yield* save(yield* stateOf(session, cursor), "epoch")
          savedAt = now
        } else if (now - savedAt >= (options.saveIntervalMillis ?? Number.POSITIVE_INFINITY)) {
          yield* save(yield* stateOf(session, cursor), "interval")
          savedAt = now
        }
      }
      const state = yield* stateOf(session, cursor)
      return { status: "finished", state, dataSeconds: session.prefetch.seconds }
    })
  )

/** What stays the same from the first step to the last. */
interface Session<I extends string, O extends string> {
  readonly options: Pick<TrainOptions<I, O, unknown, unknown>, "task" | "batches" | "params">
  readonly weights: Variables
  readonly velocities: Variables
  readonly lossScaling: LossScaling | undefined
  readonly step: Compiled<I | "learningRate", O | "loss">
  readonly validate: Effect.Effect<Validation, TensorError> | undefined
  readonly prefetch: Prefetch<I>
  readonly tell: Effect.Success<ReturnType<typeof throttled>>
}

const openSession = Effect.fn("Trainer.openSession")(function* <I extends string, O extends string, E, R>(
  options: TrainOptions<I, O, E, R>
) {
  const { task, batches, params, start } = options
  const runtime = yield* TensorRuntime
  const weights = yield* makeVariables(start.weights)
  const velocities = yield* makeVariables(start.velocities)
  const lossScaling =
    params.precision === "float16" ? yield* makeLossScaling(start.lossScale ?? firstLossScale) : undefined
  const update = trainStep({ task, weights, velocities, optimizer: params, lossScaling })
  const step = yield* runtime.jit<I | "learningRate", O | "loss">(
    (inputs) => update(inputs, inputs.learningRate as tf.Scalar),
    {
      inputs: { ...batches.inputs, learningRate: { shape: [], dtype: "float32" } } as never,
      precision: params.precision
    }
  )
  const validate = options.validation === undefined ? undefined : yield* options.validation(weights)
  const tell = yield* throttled(options.onProgress ?? (() => Effect.void), batches.batchSize)
  const prefetch = yield* Prefetch.make<I>(batches, step.allocate)
  return { options, weights, velocities, lossScaling, step, validate, prefetch, tell } satisfies Session<I, O>
})

/** One update; the batch of the next is made meanwhile. */
const runStep = Effect.fnUntraced(function* <I extends string, O extends string>(
  session: Session<I, O>,
  cursor: Cursor
) {
  const { batches, params, task } = session.options
  const { stepsPerEpoch, batchSize } = batches
  const stepOfRun = cursor.epoch * stepsPerEpoch + cursor.step
  const learningRate = learningRateAt({ ...params, stepsPerEpoch }, stepOfRun)
  const { loss, measures } = yield* session.prefetch.overlap(
    (feeds) =>
      session.step
        .run({ ...feeds, learningRate: Float32Array.of(learningRate) } as never)
        .pipe(Effect.map((fetched) => ({ loss: fetched.loss[0]!, measures: task.measure(fetched, feeds) }))),
    positionAfter(cursor, stepsPerEpoch, params.epochs)
  )
  if (!Number.isFinite(loss)) {
    return yield* new DivergedError({ step: stepOfRun + 1, learningRate, lastGoodEpoch: cursor.epoch })
  }
  const share = { total: loss * batchSize, weight: batchSize }
  const sums = added(cursor.sums, { loss: share, ...measures })
  const step = cursor.step + 1
  yield* session.tell({
    epoch: cursor.epoch + 1,
    epochs: params.epochs,
    step,
    steps: stepsPerEpoch,
    loss: sums.loss!.total / sums.loss!.weight
  })
  return { ...cursor, step, sums }
})

const added = (sums: EpochSums, shares: Readonly<Record<string, Share>>): EpochSums =>
  Object.fromEntries(
    Object.entries(shares).map(([name, { total, weight }]) => {
      const sofar = sums[name] ?? { total: 0, weight: 0 }
      return [name, { total: sofar.total + total, weight: sofar.weight + weight }]
    })
  )

/** Means; a measure that nothing fell to (no labelled pixel in an epoch) is left out. */
const means = (sums: EpochSums): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(sums).flatMap(([name, { total, weight }]) => (weight > 0 ? [[name, total / weight]] : []))
  )

const positionAfter = ({ epoch, step }: Cursor, stepsPerEpoch: number, epochs: number) => {
  if (step + 1 < stepsPerEpoch) return { epoch, step: step + 1 }
  return epoch + 1 < epochs ? { epoch: epoch + 1, step: 0 } : undefined
}

/** Validates, writes the epoch into the history and moves to the start of the next. */
const endEpoch = Effect.fnUntraced(function* <I extends string, O extends string>(
  { options, validate }: Session<I, O>,
  { epoch, sums, history }: Cursor
) {
  const { stepsPerEpoch } = options.batches
  const validation = validate === undefined ? undefined : yield* validate
  const record: EpochRecord = {
    epoch: epoch + 1,
    learningRate: learningRateAt({ ...options.params, stepsPerEpoch }, (epoch + 1) * stepsPerEpoch - 1),
    train: means(sums),
    validation: validation ?? {}
  }
  return { epoch: epoch + 1, step: 0, sums: noSums, history: [...history, record] }
})

const stateOf = Effect.fnUntraced(function* <I extends string, O extends string>(
  { lossScaling, options, weights, velocities }: Session<I, O>,
  { epoch, step, sums, history }: Cursor
) {
  const all = yield* readVariables({
    ...weights,
    ...Object.fromEntries(
      Object.entries(velocities).map(([name, variable]) => [`velocity ${name}`, variable])
    )
  })
  const pick = (names: ReadonlyArray<string>, prefix: string) =>
    Object.fromEntries(names.map((name) => [name, all[prefix + name]!]))
  return {
    epoch,
    step,
    sums,
    history,
    weights: pick(Object.keys(weights), ""),
    velocities: pick(
      options.task.weights.filter(isTrainable).map(({ name }) => name),
      "velocity "
    ),
    ...(lossScaling && { lossScale: yield* readLossScaling(lossScaling) })
  } satisfies ResumePoint
})
