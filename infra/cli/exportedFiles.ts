/**
 * A classifier's files in each format, and its card. Brings all of tfjs, so `export` loads it once it knows
 * that there is work for it.
 */
import { Effect } from "effect"
import { type ExportedFile, jsonBytes } from "../../lib/export/ExportedFile.ts"
import { foldNormalizations } from "../../lib/export/fold.ts"
import type { InferenceGraph } from "../../lib/export/InferenceGraph.ts"
import { onnxModel } from "../../lib/export/onnx.ts"
import { recordClassifier } from "../../lib/export/record.ts"
import { savedModel } from "../../lib/export/saved-model.ts"
import { tensorflowGraph } from "../../lib/export/tensorflow-graph.ts"
import { tfjsGraphModel } from "../../lib/export/tfjs-graph-model.ts"
import { toTorch } from "../../lib/export/torch-weights.ts"
import type { Classifier } from "../../lib/models/Classifier.ts"
import { encodeWeights } from "../../lib/models/weights.ts"
import type { Weights } from "../../lib/nn/Weights.ts"
import packageJson from "../../package.json" with { type: "json" }
import type { ClassifierValue } from "../../stages/artifacts.ts"
import { digestOf } from "../hashing.ts"
import { cardFile, type Format, type ModelCard, placeOf } from "./ModelCard.ts"

/** A trained classifier, loaded. */
export interface LoadedModel {
  readonly value: ClassifierValue
  readonly classifier: Classifier
  readonly weights: Weights
  /** `pipeline/job` */
  readonly name: string
  readonly jobKey: string
}

const producer = { name: "distillery", version: packageJson.version }
const exportedBy = `${producer.name} ${producer.version}`

/** All files of the formats, the card first. Fails where the network does what a graph cannot say. */
export const exportedFiles = Effect.fn("exportedFiles")(function* (
  model: LoadedModel,
  wanted: ReadonlyArray<Format>
) {
  const { classifier, value, weights } = model
  const { channels, height, width } = value.preprocessing
  const recorded = yield* recordClassifier({
    classifier,
    weights,
    size: [height, width, channels],
    normalization: value.preprocessing
  })
  const graph = foldNormalizations(recorded)
  const files = wanted.flatMap((format) => filesIn(format, model, graph).map((file) => ({ format, ...file })))
  const card = cardOf(
    model,
    wanted,
    files.map(({ bytes, format, path }) => ({
      format,
      path,
      sizeBytes: bytes.length,
      digest: digestOf(bytes)
    }))
  )
  const all: ReadonlyArray<ExportedFile> = [{ path: cardFile, bytes: jsonBytes(card) }, ...files]
  return { card, files: all }
})

const filesIn = (
  format: Format,
  { name, value, weights }: LoadedModel,
  graph: InferenceGraph
): ReadonlyArray<ExportedFile> => {
  const place = placeOf[format]
  if (format === "safetensors")
    return [{ path: place, bytes: encodeWeights(toTorch(weights), { format: "pt" }) }]
  if (format === "tfjs") return tfjsGraphModel(place, tensorflowGraph(graph), exportedBy)
  if (format === "saved-model") return savedModel(place, tensorflowGraph(graph))
  const metadata = { model: name, classes: JSON.stringify(value.classes) }
  return [onnxModel(place, graph, { producer, metadata })]
}

const cardOf = (
  { jobKey, name, value }: LoadedModel,
  wanted: ReadonlyArray<Format>,
  files: ModelCard["files"]
): ModelCard => {
  const { architecture, classes, imported, macs, numParams, preprocessing, weights } = value
  const { channels, height, width } = preprocessing
  const output = (name: string) => ({ name, shape: [null, classes.length], dtype: "float32" }) as const
  return {
    schemaVersion: 1,
    model: name,
    jobKey,
    exportedBy,
    task: "classification",
    classes,
    architecture,
    ...(imported !== undefined && { attribution: imported.attribution }),
    numParams,
    macs,
    input: { name: "images", shape: [null, height, width, channels], dtype: "float32" },
    outputs: [output("logits"), output("probabilities")],
    preprocessing,
    resampler:
      typeof preprocessing.fit === "object"
        ? `${preprocessing.fit.resampler}, as Pillow's`
        : "bilinear, antialiased when shrinking, as libvips's",
    normalizationIncludedIn: wanted.filter((format) => format !== "safetensors"),
    weights: weights.blob,
    files
  }
}
