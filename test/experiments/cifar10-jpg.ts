/** ResNet-20 on JPEG copies of CIFAR-10: ours beside PyTorch, from equal weights, on equal batches. */
import { Schema } from "effect"
import { TrainingParams } from "../../lib/train/TrainingParams.ts"
import { architecture, pipeline, seeds, training } from "./cifar10-jpg.pipeline.ts"
import type { Experiment } from "./Experiment.ts"
import { outcomeOf, preparedImages, resultsOf } from "./pipelineRuns.ts"
import { trainInTorch } from "./torchSide.ts"

const ours = async (seed: number) => {
  const manifestOf = await resultsOf(pipeline, [`evaluate-${seed}`])
  return outcomeOf(manifestOf(`seed-${seed}`), manifestOf(`evaluate-${seed}`))
}

const torch = async (seed: number) => {
  const { classes, preprocessing, test, train } = await preparedImages(pipeline, "prepared")
  return trainInTorch({
    name: `cifar10-jpg-seed${seed}`,
    architecture,
    numClasses: classes.length,
    training: Schema.decodeSync(TrainingParams)({ ...training, seed }),
    dataset: { train, test },
    normalization: preprocessing
  })
}

export const experiment: Experiment = {
  name: "cifar10-jpg",
  question: "Does a ResNet-20 trained here reach what PyTorch reaches on the same files? (12 epochs, cosine)",
  variants: ["pytorch", "ours"],
  seeds,
  figure: "top1",
  within: 0.005,
  run: (variant, seed) => (variant === "ours" ? ours(seed) : torch(seed))
}
