/** The images of a test split that a report shows and keeps, by task. */
import { Effect, Schema } from "effect"
import { decodeBoxedImages } from "../data/boxed-images.ts"
import type { ImageCodec, ImageUnreadable } from "../data/ImageCodec.ts"
import { decodeLabelledImages } from "../data/labelled-images.ts"
import { decodeMaskedImages } from "../data/masked-images.ts"
import { decodeBoxPredictions, decodeClassPredictions, decodeMaskPredictions } from "../data/predictions.ts"
import type { SafetensorsError } from "../models/safetensors.ts"
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
  /** The test split and the predictions, as they are stored. */
  readonly test: Uint8Array
  readonly predictions: Uint8Array
  readonly classes: ReadonlyArray<string>
  readonly examples: ExampleChoice
  /** How many samples. */
  readonly samples: number
}

interface Parts<Test, Predictions, E> {
  readonly decodeTest: (bytes: Uint8Array) => Effect.Effect<Test, SafetensorsError>
  readonly decodePredictions: (bytes: Uint8Array) => Effect.Effect<Predictions, SafetensorsError>
  readonly numImages: (test: Test) => number
  readonly examples: (
    options: ExamplesOf<Test, Predictions>
  ) => Effect.Effect<ReadonlyArray<Example<E>>, ImageUnreadable, ImageCodec>
  readonly samples: (options: SampleOptions<Test>) => ReadonlyArray<Sample>
}

const showWith = <Test, Predictions extends { readonly quality: Float32Array }, E>(
  parts: Parts<Test, Predictions, E>
) =>
  Effect.fn("showImages")(function* (options: ShowOptions) {
    const { classes, evaluation } = options
    const test = yield* parts.decodeTest(options.test)
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
      samples: parts.samples({ test, classes, count: options.samples })
    } satisfies ShownImages<E> as ShownImages<E>
  })

export const showClassified = showWith({
  decodeTest: decodeLabelledImages,
  decodePredictions: decodeClassPredictions,
  numImages: ({ labels }) => labels.length,
  examples: classExamples,
  samples: classSamples
})

export const showDetected = showWith({
  decodeTest: decodeBoxedImages,
  decodePredictions: decodeBoxPredictions,
  numImages: ({ offsets }) => offsets.length - 1,
  examples: boxExamples,
  samples: boxSamples
})

export const showSegmented = showWith({
  decodeTest: decodeMaskedImages,
  decodePredictions: decodeMaskPredictions,
  numImages: ({ masks, height, width }) => masks.length / (height * width),
  examples: maskExamples,
  samples: maskSamples
})
