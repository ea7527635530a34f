/**
 * How fast a network is and what memory it takes, by the runtime that serves here. Brings all of tfjs; peak
 * memory is that of the process, so each network has one of its own.
 */
import { Clock, Effect } from "effect"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { initializeWeights } from "../../lib/nn/initializers.ts"
import { evaluation } from "../../lib/nn/Mode.ts"
import { sizeOf } from "../../lib/nn/Weights.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import type { tf } from "../../lib/tensor/tf.ts"
import { makeVariables } from "../../lib/train/variables.ts"
import type { NamedModel } from "./namedModels.ts"

export interface Measured {
  readonly backend: string
  /** Images a step. */
  readonly batch: number
  readonly imagesPerSecond: number
  readonly peakBytes: number
}

/** As `predict` takes images, fewer of a network whose step would take long. */
const batchOf = (macs: number): number => Math.min(32, Math.max(1, Math.round(3.2e10 / macs)))
const secondsMin = 1
const stepsMin = 3

const openForward = Effect.fn("measureModel.openForward")(function* ({
  architecture,
  input,
  numClasses
}: NamedModel) {
  const runtime = yield* TensorRuntime
  const classifier = yield* loadClassifier({ architecture, imageChannels: input.channels, numClasses })
  const random = RandomStream.make(0, "weights")
  const weights = yield* makeVariables(initializeWeights(classifier.weights, "he-normal-fan-out", random))
  const batch = batchOf(classifier.macs(input.height, input.width))
  const shape = [batch, input.height, input.width, input.channels]
  const compiled = yield* runtime.jit<"images", "logits">(
    ({ images }) => ({ logits: classifier.apply(weights, images as tf.Tensor4D, evaluation) }),
    { inputs: { images: { shape, dtype: "float32" } }, precision: "float32" }
  )
  const pixels = RandomStream.make(0, "pixels")
  const images = Float32Array.from({ length: sizeOf(shape) }, () => pixels.between(-2, 2))
  return { batch, step: compiled.run({ images }) }
})

const seconds = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e9)

/** The best step counts: what else the machine did is not the network's. */
export const measureModel = Effect.fn("measureModel")(function* (model: NamedModel) {
  const { numerics } = yield* TensorRuntime
  const { batch, step } = yield* openForward(model)
  yield* step
  const begin = yield* seconds
  let best = Number.POSITIVE_INFINITY
  for (let steps = 0, now = begin; steps < stepsMin || now - begin < secondsMin; steps++) {
    yield* step
    const ended = yield* seconds
    best = Math.min(best, ended - now)
    now = ended
  }
  return {
    backend: numerics.backend,
    batch,
    imagesPerSecond: batch / best,
    // Node tells it in KiB on every system.
    peakBytes: process.resourceUsage().maxRSS * 1024
  } satisfies Measured as Measured
}, Effect.scoped)
