/**
 * One classifier from its first weights (or a saved state) to its last epoch: what pretraining and
 * distillation share.
 */
import { Effect, Option } from "effect"
import { classificationBatches, type LabelledImages } from "../data/batches.ts"
import type { Classifier } from "../models/Classifier.ts"
import { initializeWeights } from "../nn/initializers.ts"
import { RandomStream } from "../tensor/random.ts"
import { classifierValidation } from "./evaluate-classifier.ts"
import { beginning, decodeResumePoint, encodeResumePoint } from "./ResumePoint.ts"
import { train } from "./Trainer.ts"
import type { TrainingParams } from "./TrainingParams.ts"
import type { ClassificationTask } from "./tasks/classification.ts"

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

export interface FitOptions<E> {
  readonly classifier: Classifier
  readonly task: ClassificationTask
  readonly params: TrainingParams
  readonly dataset: LabelledImages
  readonly validation: LabelledImages | undefined
  /** Per channel, in units of pixel / 255. */
  readonly normalization: { readonly mean: ReadonlyArray<number>; readonly std: ReadonlyArray<number> }
  readonly host: TrainingHost<E>
}

/** Between two saved states of one epoch. */
const saveIntervalMillis = 180_000

/** The state to start from: the saved one, or fresh weights where there is none that fits. */
const startingPoint = Effect.fn("startingPoint")(function* <E>(options: FitOptions<E>) {
  const { classifier, host, params } = options
  const saved = yield* host.loadResumePoint
  if (Option.isSome(saved)) {
    const point = yield* Effect.option(decodeResumePoint(saved.value, classifier.weights))
    if (Option.isSome(point)) {
      const { epoch, step } = point.value
      yield* host.note(`resumes after epoch ${epoch}${step > 0 ? `, step ${step}` : ""}`)
      return point.value
    }
    yield* host.note("the saved state cannot be read: starts anew")
  }
  const random = RandomStream.make(params.seed, "weights")
  return beginning(initializeWeights(classifier.weights, params.initializer, random), classifier.weights)
})

/**
 * Trains until the last epoch or until a stop is asked for; the state is saved after every epoch, every few
 * minutes and before stopping. Fails with `DivergedError`, `TooFewExamples`, tensor errors, or the host's
 * own.
 */
export const fitClassifier = Effect.fn("fitClassifier")(function* <E>(options: FitOptions<E>) {
  const { classifier, dataset, host, normalization, params, task, validation } = options
  const start = yield* startingPoint(options)
  const batches = classificationBatches({
    dataset,
    normalization,
    numClasses: classifier.numClasses,
    batchSize: params.batchSize,
    seed: params.seed,
    labelSmoothing: params.labelSmoothing,
    augment: params.augment
  })
  return yield* train({
    task,
    batches,
    params,
    start,
    ...(validation && {
      validation: classifierValidation({ classifier, dataset: validation, normalization })
    }),
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
