/** The images of a test split that a report shows and keeps, by task. */
import { Effect, Schema, type Scope } from "effect"
import { decodeBoxedImages } from "../data/boxed-images.ts"
import type { ImageCodec, ImageUnreadable } from "../data/ImageCodec.ts"
import { decodeMaskedImages } from "../data/masked-images.ts"
import { openSplit } from "../data/open-split.ts"
import { blobsOfSplit, type LabelledSplit } from "../data/PreparedSplit.ts"
import { decodeBoxPredictions, decodeClassPredictions, decodeMaskPredictions } from "../data/predictions.ts"
import type { ImagesError } from "../data/ShardedImages.ts"
import type { SafetensorsError } from "../models/safetensors.ts"
import { BlobStore } from "../storage/BlobStore.ts"
import { chooseExamples, type ExampleChoice } from "./choose-examples.ts"
import type { Picture } from "./example-pictures.ts"
import { boxExamples, classExamples, type Example, type ExamplesOf, maskExamples } from "./examples.ts"
import { boxSamples, classSamples, maskSamples, type Sample, type SampleOptions } from "./samples.ts"

/** What stands under one name does not belong together: pictures would show what was said of other images. */
export class PredictionsMismatch extends Schema.TaggedError<PredictionsMismatch>()("PredictionsMismatch", {
  evaluation: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return (
      `The evaluation "${this.evaluation}" does not go with what has the same name: ${this.reason}. ` +
      "Give every evaluation the model and the dataset it was made from."
    )
  }
}

export interface ShownImages<E> {
  readonly examples: ReadonlyArray<E>
  /** Of each example. */
  readonly pictures: ReadonlyArray<ReadonlyArray<Picture>>
  readonly samples: ReadonlyArray<Sample>
}

export interface ShowOptions {
  readonly evaluation: string
  readonly test: LabelledSplit
  /** As they are stored. */
  readonly predictions: Uint8Array
  readonly classes: ReadonlyArray<string>
  readonly examples: ExampleChoice
  /** How many samples. */
  readonly samples: number
}

interface Parts<Test, Predictions, E> {
  readonly open: (split: LabelledSplit) => Effect.Effect<Test, ImagesError, BlobStore | Scope.Scope>
  readonly decodePredictions: (bytes: Uint8Array) => Effect.Effect<Predictions, SafetensorsError>
  readonly numImages: (test: Test) => number
  readonly examples: (
    options: ExamplesOf<Test, Predictions>
  ) => Effect.Effect<ReadonlyArray<Example<E>>, ImageUnreadable | ImagesError, ImageCodec>
  readonly samples: (options: SampleOptions<Test>) => Effect.Effect<ReadonlyArray<Sample>, ImagesError>
}

const showWith = <Test, Predictions extends { readonly quality: Float32Array }, E>(
  parts: Parts<Test, Predictions, E>
) =>
  Effect.fn("showImages")(function* (options: ShowOptions) {
    const { classes, evaluation } = options
    const test = yield* parts.open(options.test)
    const predictions = yield* parts.decodePredictions(options.predictions)
    const [evaluated, there] = [predictions.quality.length, parts.numImages(test)]
    if (evaluated !== there) {
      const reason = `${evaluated} images were evaluated, the test split has ${there}`
      return yield* new PredictionsMismatch({ evaluation, reason })
    }
    const chosen = chooseExamples(predictions.quality, options.examples)
    const shown = yield* parts.examples({ test, predictions, classes, chosen })
    return {
      examples: shown.map(({ example }) => example),
      pictures: shown.map(({ pictures }) => pictures),
      samples: yield* parts.samples({ test, classes, count: options.samples })
    } satisfies ShownImages<E> as ShownImages<E>
  }, Effect.scoped)

/** Of images with boxes or masks a split is always whole. */
const opening =
  <Test>(decode: (bytes: Uint8Array) => Effect.Effect<Test, SafetensorsError>) =>
  (split: LabelledSplit) =>
    Effect.flatMap(BlobStore, (blobs) => Effect.flatMap(blobs.get(blobsOfSplit(split)[0]!), decode))

export const showClassified = showWith({
  open: openSplit,
  decodePredictions: decodeClassPredictions,
  numImages: ({ labels }) => labels.length,
  examples: classExamples,
  samples: classSamples
})

export const showDetected = showWith({
  open: opening(decodeBoxedImages),
  decodePredictions: decodeBoxPredictions,
  numImages: ({ offsets }) => offsets.length - 1,
  examples: boxExamples,
  samples: (options) => Effect.succeed(boxSamples(options))
})

export const showSegmented = showWith({
  open: opening(decodeMaskedImages),
  decodePredictions: decodeMaskPredictions,
  numImages: ({ masks, height, width }) => masks.length / (height * width),
  examples: maskExamples,
  samples: (options) => Effect.succeed(maskSamples(options))
})
