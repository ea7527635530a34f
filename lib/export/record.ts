/** From a network's own code to its inference graph: it is run once on a backend that records. */
import { Effect } from "effect"
import type { Normalization } from "../data/augment/normalization.ts"
import type { Classifier } from "../models/Classifier.ts"
import { evaluation } from "../nn/Mode.ts"
import type { Weights, WeightTensors } from "../nn/Weights.ts"
import { tf } from "../tensor/tf.ts"
import { ExportUnsupported, type InferenceGraph } from "./InferenceGraph.ts"
import { RECORDED_BATCH, RecordingBackend } from "./RecordingBackend.ts"
import { recordedKernels } from "./recorded-kernels.ts"

export interface RecordingOptions {
  readonly classifier: Classifier
  readonly weights: Weights
  /** Rows, columns and channels of the images. */
  readonly size: readonly [height: number, width: number, channels: number]
  readonly normalization: Normalization
}

/**
 * The classifier in evaluation with these weights, and what goes before and after: `images`
 * `[N, H, W, C]`, pixels 0…255 as float32, are normalised; outputs are `logits` and `probabilities` `[N, K]`.
 */
export const recordClassifier = (
  options: RecordingOptions
): Effect.Effect<InferenceGraph, ExportUnsupported> =>
  Effect.acquireUseRelease(
    Effect.sync(openRecording),
    ({ backend }) =>
      Effect.try({ try: () => inTidy(() => recorded(backend, options)), catch: unsupported }).pipe(
        Effect.catch((cause) => (cause instanceof ExportUnsupported ? Effect.fail(cause) : Effect.die(cause)))
      ),
    ({ before }) => Effect.sync(() => closeRecording(before))
  )

/** What `use` gives is no tensor, and stays; tensors go. */
const inTidy = <A>(use: () => A): A => {
  const given: Array<A> = []
  tf.tidy(() => void given.push(use()))
  return given[0]!
}

const BACKEND_NAME = "inference-recorder"

const openRecording = () => {
  const before = tf.getBackend()
  const backend = new RecordingBackend()
  tf.registerBackend(BACKEND_NAME, () => backend)
  for (const { name, record } of recordedKernels) {
    tf.registerKernel({
      kernelName: name,
      backendName: BACKEND_NAME,
      kernelFunc: ({ attrs, inputs }) => record(backend, inputs as never, (attrs ?? {}) as never)
    })
  }
  // The promise is for backends that start asynchronously; this one is there already.
  void tf.setBackend(BACKEND_NAME)
  return { backend, before }
}

const closeRecording = (before: string | undefined): void => {
  if (before !== undefined && before !== "") void tf.setBackend(before)
  for (const { name } of recordedKernels) tf.unregisterKernel(name, BACKEND_NAME)
  tf.removeBackend(BACKEND_NAME)
}

/** tfjs's words for an operation the current backend does not have. */
const MISSING_KERNEL = /Kernel '(\w+)' not registered/

const unsupported = (cause: unknown): unknown => {
  const missing = MISSING_KERNEL.exec(cause instanceof Error ? cause.message : "")?.[1]
  return missing === undefined
    ? cause
    : new ExportUnsupported({ operation: missing, reason: "is an operation that exports do not know" })
}

const tensorOf = <T extends tf.Tensor>(info: tf.TensorInfo): T =>
  tf.engine().makeTensorFromTensorInfo(info) as T

const recorded = (backend: RecordingBackend, options: RecordingOptions): InferenceGraph => {
  const { classifier, normalization, size, weights } = options
  const tensors: WeightTensors = Object.fromEntries(
    Object.entries(weights).map(([name, { shape, values }]) => [
      name,
      tensorOf(backend.constant(values, shape, name))
    ])
  )
  const images = tensorOf<tf.Tensor4D>(backend.record({ kind: "Input" }, [], [RECORDED_BATCH, ...size]))
  const { scale, shift } = affineOf(normalization)
  const named = (values: ReadonlyArray<number>, name: string) =>
    tensorOf(backend.constant(Float32Array.from(values), [values.length], name))
  const scaled = tf.mul(images, named(scale, "normalization.scale"))
  const normalised: tf.Tensor4D = tf.add(scaled, named(shift, "normalization.shift"))
  const logits = classifier.apply(tensors, normalised, evaluation)
  const probabilities = tf.softmax(logits)
  return {
    input: backend.nodeOf(images),
    outputs: { logits: backend.nodeOf(logits), probabilities: backend.nodeOf(probabilities) }
  }
}

/** (pixel / 255 - mean) / std = scale * pixel + shift */
const affineOf = ({ mean, std }: Normalization) => ({
  scale: std.map((deviation) => 1 / (255 * deviation)),
  shift: mean.map((value, channel) => -value / std[channel]!)
})
