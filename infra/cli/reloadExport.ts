/**
 * `distillery reload-export`: an exported model, read from its files by the runtime that such files are for.
 * In a process of its own: it loads nothing else that computes, and a library that crashes ends nothing else.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Schema } from "effect"
import { comparisonImages, numCompared } from "../../lib/export/comparison.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { fitWeights } from "../../lib/models/published/fitWeights.ts"
import { readWeightsFile } from "../../lib/models/published/readWeightsFile.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { classifierLogits } from "../../lib/train/evaluate-classifier.ts"
import { libraryOptions } from "../capabilities.ts"
import { portableRuntimeLayer } from "../layers.ts"
import { read, type SettingsValue } from "../settings.ts"
import { locateLibrary } from "../tensorflow/library.ts"
import { UsageError } from "./errors.ts"
import { cardFile, Format, ModelCard, placeOf } from "./ModelCard.ts"
import { printJson } from "./Output.ts"

/** What a process that reads an export back prints. */
export const Reloaded = Schema.Union([
  Schema.TaggedStruct("Ran", { runtime: Schema.String, logits: Schema.Array(Schema.Number) }),
  /** The runtime is not on this machine. */
  Schema.TaggedStruct("Absent", { reason: Schema.String })
])
export type Reloaded = typeof Reloaded.Type

/** A runtime refuses the files, or fails on them; in its own words. */
export class ReloadFailed extends Schema.TaggedError<ReloadFailed>()("ReloadFailed", {
  message: Schema.String
}) {}

const failed = (cause: unknown): ReloadFailed =>
  new ReloadFailed({ message: cause instanceof Error ? cause.message : String(cause) })

const running = <A>(run: () => Promise<A>): Effect.Effect<A, ReloadFailed> =>
  Effect.tryPromise({ try: run, catch: failed })

const ran = (runtime: string, logits: Float32Array): Reloaded => ({
  _tag: "Ran",
  runtime,
  logits: Array.from(logits)
})

interface Reading {
  readonly card: ModelCard
  /** Where the format's files lie. */
  readonly place: string
  readonly images: Uint8Array
  readonly shape: ReadonlyArray<number>
  readonly settings: SettingsValue
}

const fromSafetensors = Effect.fn("reloadExport.safetensors")(function* ({ card, images, place }: Reading) {
  const { architecture, classes, preprocessing } = card
  const { channels, height, width } = preprocessing
  const classifier = yield* loadClassifier({
    architecture,
    imageChannels: channels,
    numClasses: classes.length
  })
  const bytes = yield* running(() => readFile(place))
  const { tensors } = yield* readWeightsFile(bytes)
  const { weights } = yield* fitWeights(tensors, classifier.weights)
  const { numerics } = yield* TensorRuntime
  const logits = yield* classifierLogits({
    classifier,
    weights,
    dataset: { images, labels: new Int32Array(numCompared), height, width, channels },
    normalization: preprocessing,
    batchSize: 4
  })
  return ran(`${numerics.library}, distillery's code`, logits)
})

const fromTfjs = Effect.fn("reloadExport.tfjs")(function* ({ images, place, shape }: Reading) {
  const { runGraphModel } = yield* Effect.promise(() => import("../tensorflow/reload-tfjs.ts"))
  const file = join(place, "model.json")
  const { logits, version } = yield* running(() => runGraphModel(file, shape, Float32Array.from(images)))
  return ran(`TensorFlow.js ${version}, WebAssembly`, logits)
})

const fromSavedModel = Effect.fn("reloadExport.savedModel")(function* (reading: Reading) {
  const { images, place, settings, shape } = reading
  const library = yield* locateLibrary(libraryOptions(settings))
  if (library.kind === "portable") {
    return {
      _tag: "Absent",
      reason: `TensorFlow's library is not here: ${library.reason}`
    } satisfies Reloaded
  }
  const { runSavedModel } = yield* Effect.promise(() => import("../tensorflow/reload-saved-model.ts"))
  const values = Float32Array.from(images)
  const { logits, version } = yield* Effect.try({
    try: () => runSavedModel({ library, folder: place, shape, values }),
    catch: failed
  })
  return ran(`TensorFlow ${version}, C API`, logits)
})

const fromOnnx = Effect.fn("reloadExport.onnx")(function* ({ images, place, settings, shape }: Reading) {
  const { runOnnx } = yield* Effect.promise(() => import("../export/reload-onnx.ts"))
  const values = Float32Array.from(images)
  const found = yield* running(() => runOnnx(place, settings.projectDir, shape, values))
  return found === undefined
    ? ({ _tag: "Absent", reason: "the package onnxruntime-node is not installed" } satisfies Reloaded)
    : ran(`ONNX Runtime ${found.version}`, found.logits)
})

const reload = (format: Format, reading: Reading) => {
  switch (format) {
    case "safetensors":
      return Effect.provide(fromSafetensors(reading), portableRuntimeLayer)
    case "tfjs":
      return fromTfjs(reading)
    case "saved-model":
      return fromSavedModel(reading)
    case "onnx":
      return fromOnnx(reading)
  }
}

/** Prints one JSON document: a `Reloaded`. */
export const reloadExport = Effect.fn("reloadExport")(function* (flags: {
  readonly format: string
  readonly folder: string
}) {
  const format = yield* Schema.decodeUnknownEffect(Format)(flags.format).pipe(
    Effect.mapError(() => new UsageError({ what: `there is no format "${flags.format}"` }))
  )
  const text = yield* running(() => readFile(join(flags.folder, cardFile), "utf8"))
  const card = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(ModelCard))(text)
  const { channels, height, width } = card.preprocessing
  const reading = {
    card,
    place: join(flags.folder, placeOf[format]),
    images: comparisonImages([height, width, channels]),
    shape: [numCompared, height, width, channels],
    settings: yield* read
  }
  yield* printJson(yield* reload(format, reading))
})
