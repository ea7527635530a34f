/** The folder of an export as a model to predict with: its card, and its weights in safetensors. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Layer, Schema } from "effect"
import { SourceDigestMismatch } from "../../lib/data/SourceFiles.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { fitWeights } from "../../lib/models/published/fitWeights.ts"
import { readWeightsFile } from "../../lib/models/published/readWeightsFile.ts"
import { encodeWeights } from "../../lib/models/weights.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { blobStoreLayer } from "../../lib/storage/blobs.ts"
import { memoryObjectStoreLayer } from "../../lib/storage/MemoryObjectStore.ts"
import { digestOf, hasherLayer } from "../hashing.ts"
import { UsageError } from "./errors.ts"
import type { FoundModel } from "./findModel.ts"
import { splitName } from "./finishedJobs.ts"
import { cardFile, ModelCard } from "./ModelCard.ts"

/** Where its weights are put: nothing of an export goes into a store on disk. */
export const exportStoreLayer: Layer.Layer<BlobStore> = blobStoreLayer.pipe(
  Layer.provide(memoryObjectStoreLayer),
  Layer.provide(hasherLayer)
)

const reading = (file: string) =>
  Effect.tryPromise({
    try: () => readFile(file),
    catch: (error) => new UsageError({ what: `${file} cannot be read`, why: (error as Error).message })
  })

const decodeCard = Schema.decodeUnknownEffect(Schema.fromJsonString(ModelCard))

const readCard = Effect.fn("exportedModel.readCard")(function* (folder: string) {
  const file = join(folder, cardFile)
  return yield* decodeCard(new TextDecoder().decode(yield* reading(file))).pipe(
    Effect.mapError(
      () =>
        new UsageError({
          what: `${file} is no card of an export, or one of another version of distillery`,
          fix: "Export the model again"
        })
    )
  )
})

/** Fails with `UsageError`, and where the weights are not the ones that the card tells of. */
export const exportedModel = Effect.fn("exportedModel")(function* (folder: string) {
  const { architecture, classes, files, jobKey, macs, model, numParams, preprocessing } =
    yield* readCard(folder)
  const stated = files.find(({ format }) => format === "safetensors")
  if (stated === undefined) {
    const what = `the export in ${folder} has no safetensors, which predict reads`
    return yield* new UsageError({
      what,
      fix: "Export the model again, with --format safetensors among them"
    })
  }
  const location = join(folder, stated.path)
  const bytes = yield* reading(location)
  const found = digestOf(bytes)
  if (found !== stated.digest) {
    return yield* new SourceDigestMismatch({ file: stated.path, location, expected: stated.digest, found })
  }
  const { tensors } = yield* readWeightsFile(bytes)
  const classifier = yield* loadClassifier({
    architecture,
    imageChannels: preprocessing.channels,
    numClasses: classes.length
  })
  const { weights } = yield* fitWeights(tensors, classifier.weights)
  const value = {
    _tag: "Classifier" as const,
    ...{ architecture, classes, preprocessing, numParams, macs, history: [] },
    weights: yield* (yield* BlobStore).put(encodeWeights(weights))
  }
  const { job, pipeline = "" } = splitName(model)
  return { pipeline, job, key: jobKey, value } satisfies FoundModel as FoundModel
})
