/**
 * The losses of the first steps of `cifar10-jpg`: equal weights and batches leave nothing but arithmetic,
 * whose errors training makes larger from step to step. PyTorch in float64 stands for what is right.
 */
import { Effect, Schema } from "effect"
import type { TrainingBatches } from "../../lib/data/batches.ts"
import { meanCrossEntropy } from "../../lib/metrics/cross-entropy.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { beginning } from "../../lib/train/ResumePoint.ts"
import { train } from "../../lib/train/Trainer.ts"
import { TrainingParams } from "../../lib/train/TrainingParams.ts"
import {
  type ClassificationTask,
  classificationTask,
  likeliestClasses
} from "../../lib/train/tasks/classification.ts"
import { architecture, pipeline, training } from "./cifar10-jpg.pipeline.ts"
import type { Experiment, Outcome } from "./Experiment.ts"
import { preparedImages } from "./pipelineRuns.ts"
import { batchesOf, firstWeightsOf } from "./sameStart.ts"
import { trainInTorch } from "./torchSide.ts"

const numSteps = 50
/** In an epoch of `cifar10-jpg`, the first of which warms up. */
const stepsPerEpoch = 390

/** The task, telling the loss of every step. */
const watched = (
  task: ClassificationTask,
  numClasses: number,
  losses: Array<number>
): ClassificationTask => ({
  ...task,
  measure: (outputs, feeds) => {
    const labels = likeliestClasses(feeds.targets as Float32Array, numClasses)
    losses.push(meanCrossEntropy(outputs.logits as Float32Array, labels))
    return task.measure(outputs, feeds)
  }
})

/** The run ends behind so many steps. */
const shortened = <I extends string>(batches: TrainingBatches<I>): TrainingBatches<I> => ({
  ...batches,
  stepsPerEpoch: numSteps
})

const run = async (variant: string, seed: number): Promise<Outcome> => {
  const { classes, preprocessing, test, train: images } = await preparedImages(pipeline, "prepared")
  const learningRate = (training.learningRate * numSteps) / stepsPerEpoch
  const params = Schema.decodeSync(TrainingParams)({ ...training, seed, learningRate })
  const common = { architecture, numClasses: classes.length, training: params, normalization: preprocessing }
  if (variant !== "ours") {
    const double = variant === "pytorch-float64"
    const dataset = { train: images, test }
    return trainInTorch({ ...common, name: "first-steps", dataset, stepsMax: numSteps, double })
  }
  const losses: Array<number> = []
  const program = Effect.gen(function* () {
    const classifier = yield* loadClassifier({ ...common, imageChannels: preprocessing.channels })
    yield* train({
      task: watched(classificationTask(classifier, params), common.numClasses, losses),
      batches: shortened(batchesOf({ ...common, dataset: images })),
      params: { ...params, epochs: 1 },
      start: beginning(firstWeightsOf(classifier, params), classifier.weights)
    })
    return (yield* TensorRuntime).numerics
  })
  // It looks for the native library as it is loaded.
  const { native } = await import("../support/runtimes.ts")
  const numerics = await Effect.runPromise(Effect.provide(program, native.layer))
  return { figures: {}, curves: { "loss by step": losses }, numerics: { ...numerics } }
}

export const experiment: Experiment = {
  name: "first-steps",
  question:
    "Are the losses of the first 50 steps PyTorch's, where weights, order and augmentation are equal?",
  variants: ["pytorch-float64", "pytorch", "ours"],
  seeds: [0],
  figure: "loss by step",
  run
}
