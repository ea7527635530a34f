/**
 * One network from its first weights (or a saved state) to its last epoch: what every training stage
 * shares.
 */
import { Effect, Option, type Schema } from "effect"
import type { TrainingBatches } from "../data/batches.ts"
import type { WeightSpec, Weights } from "../nn/Weights.ts"
import { type Numerics, TensorRuntime } from "../tensor/Runtime.ts"
import { type ActingIn, actingAlways, epochElements, turningPoints } from "./epoch-elements.ts"
import {
  beginning,
  decodeResumePoint,
  encodeResumePoint,
  goingOnWith,
  type ResumePoint
} from "./ResumePoint.ts"
import type { Task } from "./Task.ts"
import { type MakeValidation, stepsOfEpoch, train } from "./Trainer.ts"
import type { OptimizationParams } from "./TrainingParams.ts"

/** States by epochs that are done; those that other runs with the same first epochs saved are found too. */
export interface EpochStates<E> {
  readonly latest: <A, E2, R>(
    decode: (bytes: Uint8Array) => Effect.Effect<A, E2, R>
  ) => Effect.Effect<Option.Option<{ readonly done: number; readonly state: A }>, E, R>
  readonly save: (done: number, bytes: Uint8Array) => Effect.Effect<void, E>
}

/** Where training reports to and keeps its states; a job's context offers all of it. */
export interface TrainingHost<E> {
  readonly fold: (options: {
    readonly start: Schema.Json
    readonly elements: ReadonlyArray<Schema.Json>
    readonly forkPoints: ReadonlyArray<number>
  }) => Effect.Effect<EpochStates<E>>
  /** The state within an epoch, which is this job's own. */
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

/** What changes from epoch to epoch besides the learning rate. */
export interface Turns {
  readonly actingIn: ActingIn
  /** Epochs that are done where it changes. */
  readonly points: ReadonlyArray<number>
}

export interface FitOptions<I extends string, O extends string, E> {
  readonly task: Task<I, O>
  /** Of `microBatchSizeOf(params)` examples. */
  readonly batches: TrainingBatches<I>
  /** All of the training's, those of the batches and of the loss too. */
  readonly params: OptimizationParams
  /** What acts on the training besides `params`: of the job's own params, architecture, head, ... */
  readonly acting: Schema.Json
  readonly turns?: Turns | undefined
  /** Of all weights of the task; asked for where there is no state to go on from. */
  readonly firstWeights: () => Weights
  readonly validation: MakeValidation | undefined
  readonly host: TrainingHost<E>
}

/** Between two saved states of one epoch. */
const saveIntervalMillis = 180_000

/** The state within an epoch that this job saved, if it can be read. */
const withinEpoch = Effect.fn("withinEpoch")(function* <E>(
  host: TrainingHost<E>,
  specs: ReadonlyArray<WeightSpec>
) {
  const saved = yield* host.loadResumePoint
  if (Option.isNone(saved)) return Option.none<ResumePoint>()
  const point = yield* Effect.option(decodeResumePoint(saved.value, specs))
  if (Option.isNone(point)) yield* host.note("the state saved within an epoch cannot be read")
  return point
})

const inWords = ({ backend, library, threads }: Numerics): string =>
  `${backend} (${library}), threads ${threads}`

/** Another machine goes on, or another version: as good a training, but not the bytes of either alone. */
const noteChange = Effect.fn("noteChange")(function* <E>(host: TrainingHost<E>, point: ResumePoint) {
  const { numerics } = yield* TensorRuntime
  const before = point.computedWith.at(-1)
  if (before === undefined || goingOnWith([before], numerics).length === 1) return
  yield* host.note(`it was computed with ${inWords(before)} so far, and goes on with ${inWords(numerics)}`)
})

/** The state to start from: the one furthest on, or first weights where there is none that fits. */
const startingPoint = Effect.fn("startingPoint")(function* <E>(
  host: TrainingHost<E>,
  states: EpochStates<E>,
  specs: ReadonlyArray<WeightSpec>,
  firstWeights: () => Weights
) {
  const after = yield* states.latest((bytes) => decodeResumePoint(bytes, specs))
  const within = yield* withinEpoch(host, specs)
  const isFurther = ({ epoch }: ResumePoint) => Option.isNone(after) || epoch >= after.value.done
  const point = Option.orElse(Option.filter(within, isFurther), () => Option.map(after, ({ state }) => state))
  if (Option.isNone(point)) return beginning(firstWeights(), specs)
  const { epoch, step } = point.value
  yield* host.note(`resumes after epoch ${epoch}${step > 0 ? `, step ${step}` : ""}`)
  return point.value
})

/**
 * Trains until the last epoch or until a stop is asked for: a fold over epochs, whose states are saved after
 * each. Within an epoch the state is saved every few minutes and before stopping. Fails with `DivergedError`,
 * `TooFewExamples`, `ImagesError`, tensor errors, or the host's own.
 */
export const fitTask = Effect.fn("fitTask")(function* <I extends string, O extends string, E>(
  options: FitOptions<I, O, E>
) {
  const { acting, batches, firstWeights, host, params, task, turns, validation } = options
  const states = yield* host.fold({
    start: { acting, training: actingAlways(params) },
    elements: epochElements({ ...params, stepsPerEpoch: stepsOfEpoch(batches, params) }, turns?.actingIn),
    forkPoints: [...new Set([...turningPoints(params), ...(turns?.points ?? [])])]
  })
  const start = yield* startingPoint(host, states, task.weights, firstWeights)
  if (start.epoch < params.epochs) yield* noteChange(host, start)
  return yield* train({
    task,
    batches,
    params,
    start,
    validation,
    save: (state, reason) => {
      const bytes = encodeResumePoint(state)
      return reason === "epoch" ? states.save(state.epoch, bytes) : host.saveResumePoint(bytes)
    },
    saveIntervalMillis,
    stopRequested: host.stopRequested,
    onProgress: ({ epoch, epochs, imagesPerSecond, loss, part, parts, scaling, step, steps }) =>
      host.report({
        phase: `epoch ${epoch}/${epochs}`,
        done: ((epoch - 1) * steps + step) * parts + part,
        total: epochs * steps * parts,
        unit: parts === 1 ? "steps" : "micro-batches",
        facts: {
          "images/s": imagesPerSecond,
          loss,
          ...(scaling && { "loss scale": scaling.lossScale, "skipped steps": scaling.skippedSteps })
        }
      })
  })
})
