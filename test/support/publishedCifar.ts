/**
 * Published CIFAR-10 ResNets (akamaster/pytorch_resnet_cifar10 d5489e89, shortcut A) and CIFAR-10 images, as
 * they lie below DISTILLERY_MIRROR.
 */
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { filesBelow, memberOfFile } from "../../infra/sources/archive.ts"
import { gunzip } from "../../infra/sources/gunzip.ts"
import type { LabelledImages } from "../../lib/data/batches.ts"
import { ImageCodec } from "../../lib/data/ImageCodec.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { fitWeights } from "../../lib/models/published/fitWeights.ts"
import { readWeightsFile } from "../../lib/models/published/readWeightsFile.ts"
import { classifierLogits } from "../../lib/train/evaluate-classifier.ts"

const mirror =
  process.env.DISTILLERY_MIRROR ?? fileURLToPath(new URL("../../../shared/data", import.meta.url))

/** For the title of a test: why it is skipped, or nothing. */
export const withoutPacks = (...packs: ReadonlyArray<string>): string => {
  const missing = packs.filter((pack) => !existsSync(join(mirror, pack)))
  return missing.length === 0 ? "" : ` (skipped without ${missing.join(", ")})`
}

const member = (pack: string, path: string) => memberOfFile(pack, join(mirror, pack), path, 2 ** 28)

export const publishedNames = [
  "resnet20-12fca82f",
  "resnet32-d509ac18",
  "resnet44-014dd654",
  "resnet56-4bfd9763"
] as const
export type PublishedName = (typeof publishedNames)[number]

/** What PyTorch says of them; logits `[20][10]`. */
interface Expected {
  readonly mean: ReadonlyArray<number>
  readonly std: ReadonlyArray<number>
  readonly classes: ReadonlyArray<string>
  readonly models: Readonly<Record<PublishedName, { readonly logits: ReadonlyArray<ReadonlyArray<number>> }>>
  readonly lossless: {
    readonly logits: Readonly<Record<PublishedName, ReadonlyArray<ReadonlyArray<number>>>>
  }
}

export const expected = Effect.map(
  member("weights.tar", "weights/resnet_cifar10_expected.json"),
  (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as Expected
)

/** What a published network says to images: logits `[N, 10]`. */
export const publishedLogits = Effect.fn("publishedLogits")(function* (
  name: PublishedName,
  dataset: LabelledImages
) {
  const depth = Number(name.slice("resnet".length, name.indexOf("-")))
  const classifier = yield* loadClassifier({
    architecture: { family: "resnet-cifar", depth, width: 16, shortcut: "A" },
    imageChannels: 3,
    numClasses: 10
  })
  const { tensors } = yield* readWeightsFile(yield* member("weights.tar", `weights/${name}.safetensors`))
  const { weights } = yield* fitWeights(tensors, classifier.weights)
  const { mean, std } = yield* expected
  return yield* classifierLogits({ classifier, weights, dataset, normalization: { mean, std } })
})

const SIDE = 32
const IMAGE_BYTES = SIDE * SIDE * 3

const labelled = (images: Uint8Array, labels: ReadonlyArray<number>): LabelledImages => ({
  images,
  labels: Int32Array.from(labels),
  height: SIDE,
  width: SIDE,
  channels: 3
})

/**
 * Two JPEG images of each class, decoded by PIL, and the first twenty of the training set without loss (a row
 * of the PNG is an image), whose labels are not given here.
 */
export const fortyImages = Effect.gen(function* () {
  const lossy = yield* member("weights.tar", "weights/cifar10_20imgs_uint8_nhwc.npy")
  const pack = "cifar10-lossless-4000"
  const sprite = yield* member(`${pack}.tar`, `${pack}/cifar10_batch_0.png`)
  const { pixels } = yield* (yield* ImageCodec).decode("cifar10_batch_0.png", sprite, 3)
  const images = new Uint8Array(40 * IMAGE_BYTES)
  images.set(lossy.subarray(lossy.length - 20 * IMAGE_BYTES))
  images.set(pixels.subarray(0, 20 * IMAGE_BYTES), 20 * IMAGE_BYTES)
  return labelled(images, new Array<number>(40).fill(0))
})

/** All 10,000 JPEG images of the test set, by our own decoder. */
export const testImages = Effect.gen(function* () {
  const pack = "cifar10-jpg"
  const packed = yield* Effect.promise(() => readFile(join(mirror, `${pack}.tar.gz`)))
  const files = yield* filesBelow(pack, yield* gunzip(packed, 2 ** 30), `${pack}/test`)
  const { classes } = yield* expected
  const codec = yield* ImageCodec
  const images = new Uint8Array(files.size * IMAGE_BYTES)
  const labels: Array<number> = []
  for (const [path, bytes] of files) {
    images.set((yield* codec.decode(path, bytes, 3)).pixels, labels.length * IMAGE_BYTES)
    labels.push(classes.indexOf(path.slice(0, path.indexOf("/"))))
  }
  return labelled(images, labels)
})
