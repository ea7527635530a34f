/** The body of `import-model`. */
import { Effect, Schema } from "effect"
import { SourceChanged, SourceDigestMismatch, SourceFiles } from "../lib/data/SourceFiles.ts"
import { type Classifier, loadClassifier } from "../lib/models/Classifier.ts"
import { parseLabelNames } from "../lib/models/label-names.ts"
import { fitWeights } from "../lib/models/published/fitWeights.ts"
import { loadReportText } from "../lib/models/published/LoadReport.ts"
import { readWeightsFile } from "../lib/models/published/readWeightsFile.ts"
import { requireImageSize } from "../lib/models/requireImageSize.ts"
import type { NamedTensors } from "../lib/models/StoredTensor.ts"
import { encodeWeights } from "../lib/models/weights.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { ClassifierValue } from "./artifacts.ts"
import {
  type ImportModelParams,
  type LabelNames,
  labelsInput,
  type WeightsFile,
  weightsInput
} from "./import-model.ts"

/** The last part of a path as either system writes it. */
const nameOf = (path: string): string => path.split(/[\\/]/).at(-1)!

/** A file of the user's, as it was when the run was planned, or as the pipeline says it must be. */
const userFile = Effect.fnUntraced(function* (
  { digest: pinned, path }: Extract<WeightsFile, { readonly _tag: "File" }>,
  input: string
) {
  const expected = (yield* JobContext).externals[input]!
  const { bytes, digest } = yield* (yield* SourceFiles).file(path)
  if (digest !== expected) {
    return yield* pinned === null
      ? new SourceChanged({ path })
      : new SourceDigestMismatch({ file: nameOf(path), location: path, expected, found: digest })
  }
  return { file: nameOf(path), bytes, digest }
})

const readWeights = Effect.fnUntraced(function* (weights: WeightsFile) {
  if (weights._tag === "File") return yield* userFile(weights, weightsInput)
  const { name, sha256 } = weights
  return { file: name, bytes: yield* (yield* SourceFiles).fetch(weights), digest: sha256 }
})

const readLabels = Effect.fnUntraced(function* (labels: LabelNames) {
  if (!("_tag" in labels)) return labels
  const { bytes, file } = yield* userFile(labels, labelsInput)
  return yield* parseLabelNames(file, new TextDecoder().decode(bytes))
})

/** The file's network tells other classes apart than the labels name. */
export class LabelsMismatch extends Schema.TaggedError<LabelsMismatch>()("LabelsMismatch", {
  file: Schema.String,
  numOutputs: Schema.Int,
  numLabels: Schema.Int
}) {
  override get message() {
    return (
      `The weights of "${this.file}" tell ${this.numOutputs} classes apart, and there are ` +
      `${this.numLabels} labels. Give one label for each output, in their order.`
    )
  }
}

/** A training that diverged, or a file that was damaged before it was saved. */
export class WeightsNotFinite extends Schema.TaggedError<WeightsNotFinite>()("WeightsNotFinite", {
  file: Schema.String,
  weight: Schema.String
}) {
  override get message() {
    return `The weights of "${this.file}" cannot be used: ${this.weight} holds NaN or infinity.`
  }
}

/** The network without its head fits, so it is the labels that do not. */
const labelsMismatch = Effect.fnUntraced(function* (
  file: string,
  tensors: NamedTensors,
  { numClasses, weights }: Classifier
) {
  const { report } = yield* fitWeights(tensors, weights, { head: "leave-out" })
  const heads = report.leftOut.flatMap(({ name }) => tensors.get(name)?.shape ?? [])
  const numOutputs = heads[0]
  return numOutputs === undefined || numOutputs === numClasses
    ? undefined
    : new LabelsMismatch({ file, numOutputs, numLabels: numClasses })
})

const fitted = Effect.fnUntraced(function* (file: string, tensors: NamedTensors, classifier: Classifier) {
  const { report, weights } = yield* fitWeights(tensors, classifier.weights).pipe(
    Effect.catch((mismatch) =>
      labelsMismatch(file, tensors, classifier).pipe(
        Effect.orElseSucceed(() => undefined),
        Effect.flatMap((labels) => Effect.fail(labels ?? mismatch))
      )
    )
  )
  const wrong = Object.keys(weights).find((name) => !weights[name]!.values.every(Number.isFinite))
  if (wrong !== undefined) return yield* new WeightsNotFinite({ file, weight: wrong })
  return { report, weights }
})

export const run = Effect.fn("import-model")(function* ({
  params
}: {
  readonly params: typeof ImportModelParams.Type
}) {
  const { architecture, attribution, key, preprocessing } = params
  const { bytes, digest, file } = yield* readWeights(params.weights)
  const classes = yield* readLabels(params.classes)
  const { format, tensors } = yield* readWeightsFile(bytes, key === undefined ? {} : { key })
  const { channels, height, width } = preprocessing
  const classifier = yield* loadClassifier({
    architecture,
    imageChannels: channels,
    numClasses: classes.length
  })
  yield* requireImageSize(classifier, preprocessing, false)
  const { report, weights } = yield* fitted(file, tensors, classifier)
  yield* (yield* JobContext).note(`${file}: ${loadReportText(report)}`)
  return {
    _tag: "Classifier" as const,
    architecture,
    imported: { file, digest, format, attribution, report },
    classes,
    preprocessing,
    weights: yield* (yield* BlobStore).put(encodeWeights(weights)),
    numParams: classifier.parameters,
    macs: classifier.macs(height, width),
    history: []
  } satisfies ClassifierValue
})
