/** What the training loop runs on: the variables of a run, and its compiled steps. */
import { Effect, type Scope } from "effect"
import type { TrainingBatches } from "../data/batches.ts"
import { isTrainable, zeroWeights } from "../nn/Weights.ts"
import { type Feeds, type TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import type { tf } from "../tensor/tf.ts"
import { firstLossScale, type LossScaling, makeLossScaling, readLossScaling } from "./loss-scaling.ts"
import type { ResumePoint } from "./ResumePoint.ts"
import type { Share, Task } from "./Task.ts"
import type { OptimizationParams } from "./TrainingParams.ts"
import { accumulatedUpdate, accumulationStep, type TrainStepOptions, trainStep } from "./train-step.ts"
import { makeVariables, readVariables, type Variables } from "./variables.ts"

/** What a part of a batch came to. */
export interface PartOutcome {
  readonly loss: number
  readonly measures: Readonly<Record<string, Share>>
}

export interface TrainingSession<I extends string> {
  readonly weights: Variables
  /** Into how many parts a batch is cut; each is a batch of `batches`. */
  readonly numParts: number
  /** Of one part. */
  readonly allocate: Effect.Effect<Feeds<I>>
  /** Runs one part; with the last one the weights are updated. */
  readonly runPart: (
    feeds: Feeds<I>,
    learningRate: number,
    isLast: boolean
  ) => Effect.Effect<PartOutcome, TensorError>
  /** The arrays of a ResumePoint, between two updates. */
  readonly read: Effect.Effect<
    Pick<ResumePoint, "weights" | "velocities" | "lossScale">,
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
  const lossScaling =
    params.precision === "float16" ? yield* makeLossScaling(start.lossScale ?? firstLossScale) : undefined
  const numParts = params.batchSize / batches.batchSize
  const learning = { task, weights, velocities, optimizer: params, lossScaling }
  const compiled =
    numParts === 1
      ? yield* wholeBatches(learning, options)
      : yield* partsOfBatches(learning, options, numParts)
  return { weights, numParts, ...compiled, read: stateOf(options, { lossScaling, velocities, weights }) }
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
    runPart: (feeds, learningRate) =>
      Effect.map(step.run({ ...feeds, learningRate: Float32Array.of(learningRate) } as never), (fetched) => ({
        loss: fetched.loss[0]!,
        measures: task.measure(fetched, feeds)
      }))
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
    ({ learningRate }) => updated(learningRate as tf.Scalar),
    { inputs: { learningRate: scalar }, precision }
  )
  return {
    allocate: part.allocate,
    runPart: Effect.fnUntraced(function* (feeds, learningRate, isLast) {
      const fetched = yield* part.run(feeds)
      if (isLast) yield* update.run({ learningRate: Float32Array.of(learningRate) })
      return { loss: fetched.loss[0]!, measures: task.measure(fetched, feeds) }
    })
  } satisfies Compiled<I>
})

interface Held {
  readonly weights: Variables
  readonly velocities: Variables
  readonly lossScaling: LossScaling | undefined
}

const stateOf = Effect.fnUntraced(function* <I extends string, O extends string>(
  { task }: SessionOptions<I, O>,
  { lossScaling, velocities, weights }: Held
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
    weights: pick(Object.keys(weights), ""),
    velocities: pick(
      task.weights.filter(isTrainable).map(({ name }) => name),
      "velocity "
    ),
    ...(lossScaling && { lossScale: yield* readLossScaling(lossScaling) })
  }
})
