/**
 * One network from its first weights (or a saved state) to its last epoch: what every training stage
 * shares.
 */
import { Effect, Option } from "effect"
import type { TrainingBatches } from "../data/batches.ts"
import type { WeightSpec, Weights } from "../nn/Weights.ts"
import { beginning, decodeResumePoint, encodeResumePoint } from "./ResumePoint.ts"
import type { Task } from "./Task.ts"
import { type MakeValidation, train } from "./Trainer.ts"
import type { OptimizationParams } from "./TrainingParams.ts"

/** Where training reports to and keeps its state; a job's context offers all of it. */
export interface TrainingHost<E> {
  readonly loadResumePoint: Effect.Effect<Option.Option<Uint8Array>, E>
  readonly saveResumePoint: (bytes: Uint8Array) => Effect.Effect<void, E>
  readonly stopRequested: Effect.Effect<boolean>
  readonly note: (line: string) => Effect.Effect<void>
  readonly report: (progress: {
    readonly phase: string
    readonly done: number
    readonly total: number
    readonly unit: string
    readonly facts: { readonly [name: string]: number }
  }) => Effect.Effect<void>
}

export interface FitOptions<I extends string, O extends string, E> {
  readonly task: Task<I, O>
  readonly batches: TrainingBatches<I>
  readonly params: OptimizationParams
  /** Of all weights of the task; asked for where there is no state to go on from. */
  readonly firstWeights: () => Weights
  readonly validation: MakeValidation | undefined
  readonly host: TrainingHost<E>
}

/** Between two saved states of one epoch. */
const saveIntervalMillis = 180_000

/** The state to start from: the saved one, or first weights where there is none that fits. */
const startingPoint = Effect.fn("startingPoint")(function* <E>(
  host: TrainingHost<E>,
  specs: ReadonlyArray<WeightSpec>,
  firstWeights: () => Weights
) {
  const saved = yield* host.loadResumePoint
  if (Option.isSome(saved)) {
    const point = yield* Effect.option(decodeResumePoint(saved.value, specs))
    if (Option.isSome(point)) {
      const { epoch, step } = point.value
      yield* host.note(`resumes after epoch ${epoch}${step > 0 ? `, step ${step}` : ""}`)
      return point.value
    }
    yield* host.note("the saved state cannot be read: starts anew")
  }
  return beginning(firstWeights(), specs)
})

/**
 * Trains until the last epoch or until a stop is asked for; the state is saved after every epoch, every few
 * minutes and before stopping. Fails with `DivergedError`, `TooFewExamples`, tensor errors, or the host's
 * own.
 */
export const fitTask = Effect.fn("fitTask")(function* <I extends string, O extends string, E>(
  options: FitOptions<I, O, E>
) {
  const { batches, firstWeights, host, params, task, validation } = options
  const start = yield* startingPoint(host, task.weights, firstWeights)
  return yield* train({
    task,
    batches,
    params,
    start,
    validation,
    save: (state) => host.saveResumePoint(encodeResumePoint(state)),
    saveIntervalMillis,
    stopRequested: host.stopRequested,
    onProgress: ({ epoch, epochs, imagesPerSecond, loss, step, steps }) =>
      host.report({
        phase: `epoch ${epoch}/${epochs}`,
        done: (epoch - 1) * steps + step,
        total: epochs * steps,
        unit: "steps",
        facts: { "images/s": imagesPerSecond, loss }
      })
  })
})
