/**
 * Trains ResNet-20 on noise for two updates and prints the largest memory that its process held, in MiB.
 * Arguments: batch size, micro-batch size.
 */
import { Effect } from "effect"
import { classificationBatches } from "../../lib/data/batches.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { initializeWeights } from "../../lib/nn/initializers.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import { beginning } from "../../lib/train/ResumePoint.ts"
import { train } from "../../lib/train/Trainer.ts"
import { TrainingParams } from "../../lib/train/TrainingParams.ts"
import { classificationTask } from "../../lib/train/tasks/classification.ts"
import { native } from "./runtimes.ts"

const [batchSize = 0, microBatchSize = 0] = process.argv.slice(2).map(Number)
const SIDE = 32
const NUM_IMAGES = 1024

const random = RandomStream.make(4, "noise")
const dataset = {
  images: Uint8Array.from({ length: NUM_IMAGES * SIDE * SIDE * 3 }, () => random.below(256)),
  labels: Int32Array.from({ length: NUM_IMAGES }, (_, index) => index % 10),
  height: SIDE,
  width: SIDE,
  channels: 3
}

const params = TrainingParams.make({ epochs: 2, batchSize, microBatchSize, warmupEpochs: 0 })
const partsMax = 2 * (batchSize / microBatchSize)
let parts = 0

await Effect.gen(function* () {
  const classifier = yield* loadClassifier({
    architecture: { family: "resnet-cifar", depth: 20, width: 16, shortcut: "B" },
    imageChannels: 3,
    numClasses: 10
  })
  const weights = initializeWeights(classifier.weights, "torch-default", RandomStream.make(0, "weights"))
  yield* train({
    task: classificationTask(classifier),
    batches: classificationBatches({
      dataset,
      normalization: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
      numClasses: 10,
      ...params,
      batchSize: microBatchSize
    }),
    params,
    start: beginning(weights, classifier.weights),
    stopRequested: Effect.sync(() => parts++ === partsMax)
  })
}).pipe(Effect.provide(native.layer), Effect.runPromise)

console.log(Math.round(process.resourceUsage().maxRSS / 1024))
