/**
 * Prepares, or trains on and evaluates, a split of gigabytes in the store of a folder, and prints the largest
 * memory that its process held, in MiB. Arguments: "prepare" or "train", the folder, images in thousands.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Layer, Schema } from "effect"
import { hasherLayer } from "../../infra/hashing.ts"
import { layer as codecLayer } from "../../infra/images/SharpImageCodec.ts"
import { fileObjectStoreLayer } from "../../infra/stores/FileObjectStore.ts"
import { encodeNetpbm } from "../../lib/data/formats/netpbm.ts"
import { openSplit } from "../../lib/data/open-split.ts"
import { usualBounds } from "../../lib/data/prepare-shards.ts"
import { ShardWriter } from "../../lib/data/shards.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { blobStoreLayer } from "../../lib/storage/blobs.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import { fitClassifier } from "../../lib/train/fit-classifier.ts"
import { TrainingParams } from "../../lib/train/TrainingParams.ts"
import { classificationTask } from "../../lib/train/tasks/classification.ts"
import { JobContext } from "../../lib/workflow/JobContext.ts"
import { PreparedDataset } from "../../stages/artifacts.ts"
import { runWithin } from "../../stages/preprocess.run.ts"
import { PreprocessParams } from "../../stages/preprocess.ts"
import { native } from "./runtimes.ts"
import { jobLayer } from "./stageServices.ts"

const [task = "", folder = "", thousands = "1"] = process.argv.slice(2)
const side = 256
const perIngested = 100
const file = join(folder, "prepared.json")

/** A hundred images of noise. */
const ingestedShard = Effect.gen(function* () {
  const random = RandomStream.make(5, "noise")
  const noise = Uint8Array.from({ length: side * side * 3 + perIngested }, () => random.below(256))
  const writer = new ShardWriter(2 ** 30)
  for (let index = 0; index < perIngested; index++) {
    const pixels = noise.subarray(index, index + side * side * 3)
    const bytes = encodeNetpbm({ pixels, height: side, width: side, channels: 3 })
    writer.add({ name: "x.ppm", bytes, label: index % 10 })
  }
  return yield* (yield* BlobStore).put(writer.finish()!)
})

/**
 * The same shard again and again: what is prepared of them differs, since it is mixed. States to go on from
 * are made, and not kept.
 */
const prepare = Effect.gen(function* () {
  const shard = yield* ingestedShard
  const splitOf = (numShards: number) => ({
    numExamples: numShards * perIngested,
    shards: Array.from({ length: numShards }, () => shard)
  })
  const prepared = yield* runWithin({ ...usualBounds, intervalMillis: 10_000 })({
    params: Schema.decodeSync(PreprocessParams)({ height: side, width: side, channels: 3, validation: 0.02 }),
    inputs: {
      dataset: {
        ...{ _tag: "ImageDataset", task: "classification", quarantined: [] },
        classes: Array.from({ length: 10 }, (_, label) => `${label}`),
        splits: { train: splitOf(Number(thousands) * 10), test: splitOf(1) }
      }
    }
  })
  writeFileSync(file, JSON.stringify(prepared))
})

/** An epoch of a small network that sees 32 x 32 pixels of each image. */
const train = Effect.gen(function* () {
  const dataset = Schema.decodeUnknownSync(PreparedDataset.classification.schema)(
    JSON.parse(readFileSync(file, "utf8"))
  )
  const classifier = yield* loadClassifier({
    architecture: { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" },
    ...{ imageChannels: 3, numClasses: 10 }
  })
  const params = TrainingParams.make({ epochs: 1, batchSize: 128, warmupEpochs: 0 })
  yield* fitClassifier({
    classifier,
    task: classificationTask(classifier, params),
    params,
    acting: {},
    dataset: yield* openSplit(dataset.train),
    validation: yield* openSplit(dataset.validation!),
    normalization: dataset.preprocessing,
    inputSize: { height: 32, width: 32 },
    host: yield* JobContext
  })
})

const store = blobStoreLayer.pipe(
  Layer.provideMerge(fileObjectStoreLayer(join(folder, "store"))),
  Layer.provideMerge(hasherLayer)
)
const services = Layer.mergeAll(store, jobLayer(), codecLayer)
if (task === "prepare") await Effect.runPromise(Effect.provide(prepare, services))
else await Effect.runPromise(Effect.provide(Effect.scoped(train), Layer.mergeAll(services, native.layer)))

console.log(Math.round(process.resourceUsage().maxRSS / 1024))
