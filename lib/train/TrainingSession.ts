/** What the training loop runs on: the variables of a run, and its compiled steps. */
import { Effect, type Scope } from "effect"
import type { TrainingBatches } from "../data/batches.ts"
import { isStatistic, isTrainable, type Weights, zeroWeights } from "../nn/Weights.ts"
import { type Feeds, type Fetches, type TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import type { tf } from "../tensor/tf.ts"
import {
  firstLossScaleOf,
  type LossScale,
  type LossScaling,
  makeLossScaling,
  readLossScaling
} from "./loss-scaling.ts"
import { type ResumePoint, resultingWeights } from "./ResumePoint.ts"
import { type Shapes, shapedFeeds } from "./shaped-feeds.ts"
import type { Share, Task } from "./Task.ts"
import type { OptimizationParams } from "./TrainingParams.ts"
import {
  accumulatedUpdate,
  accumulationStep,
  type ScalingOutputs,
  type TrainStepOptions,
  trainStep
} from "./train-step.ts"
import { makeVariables, readVariables, type Variables } from "./variables.ts"
import type { WeightAverages } from "./weight-averages.ts"

/** What a part of a batch came to. */
export interface PartOutcome {
  readonly loss: number
  readonly measures: Readonly<Record<string, Share>>
  /** With which the gradients were taken; null: with none. */
  readonly lossScale: number | null
  /** Of an update where the loss is scaled: whether it changed no weight, since a gradient was not finite. */
  readonly isSkipped: boolean | undefined
}

export interface TrainingSession<I extends string> {
  /** What training is for: the weights, or their averages. */
  readonly resulting: Variables
  /** Into how many parts a batch is cut; each is a batch of `batches`. */
  readonly numParts: number
  /** Of one part. */
  readonly allocate: Effect.Effect<Feeds<I>>
  /** Runs one part; with the last one the weights are updated. `shapes` are those of its epoch. */
  readonly runPart: (
    feeds: Feeds<I>,
    learningRate: number,
    isLast: boolean,
    shapes: Shapes<I> | undefined
  ) => Effect.Effect<PartOutcome, TensorError>
  /** Running statistics as they are now: all that parts change before the last one. */
  readonly statistics: Effect.Effect<Weights, TensorError, TensorRuntime>
  /** As it is now, where losses are scaled. */
  readonly lossScale: Effect.Effect<LossScale | undefined, TensorError, TensorRuntime>
  /** The arrays of a ResumePoint between two updates; between two parts all but the `statistics`. */
  readonly read: Effect.Effect<
    Pick<ResumePoint, "weights" | "velocities" | "averages" | "lossScale">,
    TensorError,
    TensorRuntime
  >
}

export interface SessionOptions<I extends string, O extends string> {
  readonly task: Task<I, O>
  /** Of parts. */
  readonly batches: TrainingBatches<I>
  readonly params: Omit<OptimizationParams, "initializer" | "seed">
  readonly start: ResumePoint
}

/** Lasts as long as the scope. */
export const openSession = Effect.fn("openSession")(function* <I extends string, O extends string>(
  options: SessionOptions<I, O>
): Effect.fn.Return<TrainingSession<I>, TensorError, Scope.Scope | TensorRuntime> {
  const { batches, params, start, task } = options
  const weights = yield* makeVariables(start.weights)
  const velocities = yield* makeVariables(start.velocities)
  const { emaDecay, lossScale } = params
  const firstScale = start.lossScale ?? firstLossScaleOf(params)
  const isDynamic = lossScale === undefined || lossScale === "dynamic"
  const lossScaling = firstScale && (yield* makeLossScaling(firstScale, isDynamic))
  const averaging =
    emaDecay == null
      ? undefined
      : { averages: yield* makeVariables(resultingWeights(start)), decay: emaDecay }
  const learning = { task, weights, velocities, optimizer: params, lossScaling, averaging }
  const running = Object.fromEntries(
    task.weights.filter(isStatistic).map(({ name }) => [name, weights[name]!] as const)
  )
  const numParts = params.batchSize / batches.batchSize
  const compiled =
    numParts === 1
      ? yield* wholeBatches(learning, options)
      : yield* partsOfBatches(learning, options, numParts)
  return {
    resulting: averaging?.averages ?? weights,
    numParts,
    ...compiled,
    statistics: readVariables(running),
    lossScale: lossScaling === undefined ? Effect.succeed(undefined) : readLossScaling(lossScaling),
    read: stateOf(task, { averaging, lossScaling, velocities, weights })
  }
})

type Compiled<I extends string> = Pick<TrainingSession<I>, "allocate" | "runPart">

const scalar = { shape: [], dtype: "float32" } as const

const wholeBatches = Effect.fnUntraced(function* <I extends string, O extends string>(
  learning: TrainStepOptions<I, O>,
  { batches, params, task }: SessionOptions<I, O>
) {
  const runtime = yield* TensorRuntime
  const update = trainStep(learning)
  const step = yield* runtime.jit<I | "learningRate", O | "loss">(
    (inputs) => update(inputs, inputs.learningRate as tf.Scalar),
    { inputs: { ...batches.inputs, learningRate: scalar } as never, precision: params.precision }
  )
  return {
    allocate: step.allocate,
    runPart: (feeds, learningRate, _isLast, shapes) => {
      const given = { ...shapedFeeds(feeds, shapes), learningRate: Float32Array.of(learningRate) }
      return Effect.map(step.run(given as never), (fetched) => outcomeOf(task, feeds, fetched))
    }
  } satisfies Compiled<I>
})

/** The memory of one part, and sums of the gradients. */
const partsOfBatches = Effect.fnUntraced(function* <I extends string, O extends string>(
  learning: TrainStepOptions<I, O>,
  { batches, params, task }: SessionOptions<I, O>,
  numParts: number
) {
  const runtime = yield* TensorRuntime
  const { precision } = params
  const gradientSums = yield* makeVariables(zeroWeights(task.weights.filter(isTrainable)))
  const accumulating = { ...learning, gradientSums }
  const part = yield* runtime.jit<I, O | "loss">(accumulationStep(accumulating), {
    inputs: batches.inputs,
    precision
  })
  const updated = accumulatedUpdate(accumulating, numParts)
  const update = yield* runtime.jit<"learningRate", never>(
    ({ learningRate }) => updated(learningRate as tf.Scalar) as Record<never, tf.Tensor>,
    { inputs: { learningRate: scalar }, precision }
  )
  return {
    allocate: part.allocate,
    runPart: Effect.fnUntraced(function* (feeds, learningRate, isLast, shapes) {
      const fetched = yield* part.run(shapedFeeds(feeds, shapes))
      const after = isLast ? yield* update.run({ learningRate: Float32Array.of(learningRate) }) : {}
      return outcomeOf(task, feeds, { ...fetched, ...after })
    })
  } satisfies Compiled<I>
})

const outcomeOf = <I extends string, O extends string>(
  task: Task<I, O>,
  feeds: Feeds<I>,
  fetched: Fetches<O | "loss"> & Partial<Fetches<keyof ScalingOutputs>>
): PartOutcome => ({
  loss: fetched.loss[0]!,
  measures: task.measure(fetched, feeds),
  lossScale: fetched.lossScale?.[0] ?? null,
  isSkipped: fetched.skipped && fetched.skipped[0] === 1
})

interface Held {
  readonly weights: Variables
  readonly velocities: Variables
  readonly averaging: WeightAverages | undefined
  readonly lossScaling: LossScaling | undefined
}

const stateOf = Effect.fnUntraced(function* (
  task: Pick<Task<never, never>, "weights">,
  { averaging, lossScaling, velocities, weights }: Held
) {
  const labelled = (label: string, variables: Variables = {}) =>
    Object.fromEntries(Object.entries(variables).map(([name, variable]) => [`${label} ${name}`, variable]))
  const all = yield* readVariables({
    ...labelled("weight", weights),
    ...labelled("velocity", velocities),
    ...labelled("average", averaging?.averages)
  })
  const pick = (label: string, names: ReadonlyArray<string>) =>
    Object.fromEntries(names.map((name) => [name, all[`${label} ${name}`]!]))
  const trainable = task.weights.filter(isTrainable).map(({ name }) => name)
  return {
    weights: pick("weight", Object.keys(weights)),
    velocities: pick("velocity", trainable),
    ...(averaging && { averages: pick("average", Object.keys(weights)) }),
    ...(lossScaling && { lossScale: yield* readLossScaling(lossScaling) })
  }
})
