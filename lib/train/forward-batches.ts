/** Runs a network over images in order, batch by batch: what every evaluation shares. */
import { Effect, type Scope } from "effect"
import { type Normalization, normalizationTable } from "../data/augment/normalization.ts"
import type { FrameSize } from "../data/augment/pad-crop-flip.ts"
import { type EvaluationBatch, evaluationBatches, fillEvaluationBatch, type Images } from "../data/batches.ts"
import type { ImagesError, ImagesPart, ShardedImages } from "../data/ShardedImages.ts"
import { type Fetches, type Precision, type TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import type { tf } from "../tensor/tf.ts"

export interface ForwardOptions<O extends string> {
  readonly images: Images | ShardedImages
  /** Of the network's input; that of the images where left out. Of larger images the middle is taken. */
  readonly inputSize?: FrameSize | undefined
  /** How many of the images there are. */
  readonly numImages: number
  readonly normalization: Normalization
  /** Examples a step; it changes no example's outputs by more than rounding. */
  readonly batchSize: number
  /** "float32" if not said, whatever the network was trained in. */
  readonly precision?: Precision | undefined
  /** Images `[N, H, W, C]` → outputs of any shape whose first extent is N. */
  readonly apply: (images: tf.Tensor4D) => { readonly [K in O]: tf.Tensor }
}

/** An effect that gives each batch's outputs to `use`; rows past the batch's count are padding. */
export const compileForward = <O extends string>(
  options: ForwardOptions<O>
): Effect.Effect<
  (
    use: (batch: EvaluationBatch, outputs: Fetches<O>) => void
  ) => Effect.Effect<void, TensorError | ImagesError>,
  TensorError,
  TensorRuntime | Scope.Scope
> =>
  Effect.gen(function* () {
    const { apply, images, normalization, numImages, precision = "float32" } = options
    const { channels } = images
    const { height, width } = options.inputSize ?? images
    const batchSize = Math.min(options.batchSize, numImages)
    const runtime = yield* TensorRuntime
    const compiled = yield* runtime.jit<"images", O>((inputs) => apply(inputs.images as tf.Tensor4D), {
      inputs: { images: { shape: [batchSize, height, width, channels], dtype: "float32" } },
      precision
    })
    const table = normalizationTable(normalization)
    const feed = new Float32Array(batchSize * height * width * channels)
    return Effect.fnUntraced(function* (use) {
      for (const part of partsOf(images, numImages)) {
        const held = yield* part.images
        for (const { count, start } of evaluationBatches(part.count, batchSize)) {
          fillEvaluationBatch(held, { start, count }, table, feed, { height, width })
          use({ start: part.first + start, count }, yield* compiled.run({ images: feed }))
        }
      }
    })
  })

/** What lies in memory is one part. */
const partsOf = (images: Images | ShardedImages, count: number): ReadonlyArray<ImagesPart> =>
  "images" in images ? [{ first: 0, count, images: Effect.succeed(images) }] : images.parts
