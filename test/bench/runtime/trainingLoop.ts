/**
 * A run of the real trainer (ResNet-20, batch 128, bfloat16, 2 threads) in a process of its own: how long the
 * event loop is held up, and whether decoding of images fits in beside it. Prints a `LoopFigures` as JSON.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import process from "node:process"
import { Effect } from "effect"
import sharp from "sharp"
import { classificationBatches } from "../../../lib/data/batches.ts"
import { loadClassifier } from "../../../lib/models/Classifier.ts"
import { initializeWeights } from "../../../lib/nn/initializers.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { beginning } from "../../../lib/train/ResumePoint.ts"
import { train } from "../../../lib/train/Trainer.ts"
import { classificationTask } from "../../../lib/train/tasks/classification.ts"
import { nativeWith } from "../../support/runtimes.ts"
import { recipe, trainingCases } from "./cases.ts"

export interface LoopFigures {
  /** The longest that the event loop was held up while steps ran, those that compile left out. */
  readonly longestGapMillis: number
  /** Wall time of steps and decoding together, over half of the CPU time that this took: idle cores show. */
  readonly overlap: number
  /** The same over half of what either spends by itself: caches they take from each other show as well. */
  readonly overlapOfEachAlone: number
}

const batchSize = 128
const size = 32
const numSteps = 60
const skippedSteps = 10
const decodedPerStep = 16
const threads = 2

const random = RandomStream.make(0, "loop")
const noise = (length: number) => Uint8Array.from({ length }, () => random.below(256))

/** As large as ImageNet's are on average, and as smooth. */
const photograph = await sharp(noise(50 * 38 * 3), { raw: { width: 50, height: 38, channels: 3 } })
  .resize(500, 375)
  .jpeg()
  .toBuffer()
sharp.concurrency(1)
sharp.cache(false)

const decode = () =>
  Promise.all(Array.from({ length: decodedPerStep }, () => sharp(photograph).raw().toBuffer()))

const cpuMillis = (): number => {
  const { system, user } = process.cpuUsage()
  return (user + system) / 1000
}

/** What a stretch of time took on the wall and on all threads. */
const stopwatch = () => {
  const [began, cpu] = [performance.now(), cpuMillis()]
  return () => ({ wall: performance.now() - began, cpu: cpuMillis() - cpu })
}

const batches = classificationBatches({
  dataset: {
    images: noise(batchSize * numSteps * size * size * 3),
    labels: Int32Array.from({ length: batchSize * numSteps }, (_, index) => index % 10),
    height: size,
    width: size,
    channels: 3
  },
  normalization: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  numClasses: 10,
  batchSize,
  seed: 0,
  labelSmoothing: recipe.labelSmoothing,
  augment: { pad: 4, flip: true }
})

const { architecture } = trainingCases["resnet-20"]!
const classifier = await Effect.runPromise(loadClassifier({ architecture, imageChannels: 3, numClasses: 10 }))

/** Trains one epoch; what is measured begins when steps have settled and ends with the last of them. */
const trained = (beside: () => Promise<unknown>) =>
  Effect.gen(function* () {
    const gaps = monitorEventLoopDelay({ resolution: 1 })
    const decoded: Array<Promise<unknown>> = []
    let taken = stopwatch()
    yield* train({
      task: classificationTask(classifier),
      batches: {
        ...batches,
        fill: (position, feeds) => {
          if (position.step === skippedSteps) {
            gaps.enable()
            taken = stopwatch()
          }
          if (position.step >= skippedSteps) decoded.push(beside())
          if (position.step === numSteps - 1) gaps.disable()
          batches.fill(position, feeds)
        }
      },
      params: {
        epochs: 1,
        ...recipe,
        batchSize: batches.batchSize,
        warmupEpochs: 0,
        lrSchedule: { kind: "constant" },
        gradientNormMax: null,
        precision: "bfloat16"
      },
      start: beginning(
        initializeWeights(classifier.weights, "torch-default", RandomStream.make(0, "weights")),
        classifier.weights
      )
    })
    yield* Effect.promise(() => Promise.all(decoded))
    return { ...taken(), longestGapMillis: gaps.max / 1e6 }
  })

const decodedAlone = async () => {
  const taken = stopwatch()
  for (let step = skippedSteps; step < numSteps; step++) await decode()
  return taken()
}

const figures = Effect.gen(function* () {
  const steps = yield* trained(() => Promise.resolve())
  const images = yield* Effect.promise(decodedAlone)
  const both = yield* trained(decode)
  return {
    longestGapMillis: steps.longestGapMillis,
    overlap: both.wall / (both.cpu / 2),
    overlapOfEachAlone: both.wall / ((steps.cpu + images.cpu) / 2)
  } satisfies LoopFigures
})

console.log(
  JSON.stringify(
    await figures.pipe(Effect.scoped, Effect.provide(nativeWith({ threads })), Effect.runPromise)
  )
)
// Native libraries keep threads that would hold the process.
process.exit(0)
