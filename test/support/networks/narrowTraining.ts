/** Trains a narrow network on noise, one step an epoch, so that the history tells the loss of every step. */
import { Effect } from "effect"
import { classificationBatches } from "../../../lib/data/batches.ts"
import { initializeWeights } from "../../../lib/nn/initializers.ts"
import type { Precision } from "../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { beginning, type ResumePoint } from "../../../lib/train/ResumePoint.ts"
import { type SaveReason, train } from "../../../lib/train/Trainer.ts"
import { TrainingParams } from "../../../lib/train/TrainingParams.ts"
import { classificationTask } from "../../../lib/train/tasks/classification.ts"
import { type NarrowName, NUM_CLASSES, narrowClassifier } from "./narrow.ts"

const BATCH = 8
const SIDE = 17

const noise = RandomStream.make(21, "narrow")
const dataset = {
  images: Uint8Array.from({ length: BATCH * SIDE * SIDE * 3 }, () => noise.below(256)),
  labels: Int32Array.from({ length: BATCH }, (_, index) => index % NUM_CLASSES),
  height: SIDE,
  width: SIDE,
  channels: 3
}

export interface NarrowTraining {
  readonly name: NarrowName
  readonly precision: Precision
  readonly steps: number
  /** Whether each step sees other crops. */
  readonly augmented?: boolean
  /** Where to go on; at the beginning if not said. */
  readonly start?: ResumePoint | undefined
  readonly save?: (state: ResumePoint, reason: SaveReason) => Effect.Effect<void>
}

/** The state at the end. */
export const trainNarrow = Effect.fn("trainNarrow")(function* (options: NarrowTraining) {
  const { augmented = false, name, precision, save, start, steps } = options
  const classifier = yield* narrowClassifier(name)
  const params = TrainingParams.make({
    epochs: steps,
    batchSize: BATCH,
    // So small that rounding flips no ReLU, which would end the likeness of two runtimes.
    learningRate: 0.001,
    warmupEpochs: 0,
    lrSchedule: { kind: "constant" },
    augment: { pad: augmented ? 1 : 0, flip: augmented },
    precision
  })
  const normalization = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] }
  const weights = initializeWeights(classifier.weights, "he-normal-fan-out", RandomStream.make(2))
  const { state } = yield* train({
    task: classificationTask(classifier),
    batches: classificationBatches({
      dataset,
      normalization,
      numClasses: NUM_CLASSES,
      dropout: classifier.dropout,
      ...params
    }),
    params,
    start: start ?? beginning(weights, classifier.weights),
    save
  })
  return state
})

export const lossesOf = ({ history }: ResumePoint): ReadonlyArray<number> =>
  history.map(({ train: { loss = Number.NaN } }) => loss)
