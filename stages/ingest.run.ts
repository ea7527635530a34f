import { Effect, Result, Stream } from "effect"
import { DatasetInvalid, FolderChanged } from "../lib/data/DatasetInvalid.ts"
import { openTree, UsedFiles } from "../lib/data/file-tree.ts"
import { digestOfDigested } from "../lib/data/files-digest.ts"
import { type CifarBatch, decodeCifarBatch } from "../lib/data/formats/cifar.ts"
import { decodeIdxImages, decodeIdxLabels, type IdxImages } from "../lib/data/formats/idx.ts"
import { type ImageFolderPlan, planImageFolder } from "../lib/data/formats/image-folder.ts"
import { encodeNetpbm } from "../lib/data/formats/netpbm.ts"
import {
  type LargeImage,
  packedFiles,
  readableOnly,
  readImages,
  type TestSplitOptions,
  withTestSplit
} from "../lib/data/image-files.ts"
import { imagenetFiles, readDevelopmentKit, trainImages, validationImages } from "../lib/data/imagenet.ts"
import { type ListedDataset, readIndexMasks, readPascalVoc } from "../lib/data/listed-files.ts"
import { type FolderFile, SourceFiles } from "../lib/data/SourceFiles.ts"
import { sceneClasses, sceneExamples } from "../lib/data/scenes/scene-examples.ts"
import type { SetAside } from "../lib/data/set-aside.ts"
import { type Example, type LabelledImage, ShardWriter } from "../lib/data/shards.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { Hasher } from "../lib/storage/Digest.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { Shard, Split } from "./artifacts.ts"
import {
  type CifarSource,
  folderInput,
  type IdxSource,
  type ImageArchiveSource,
  type ImageFolderSource,
  type ImageNetSource,
  type IngestParams,
  type ScenesSource
} from "./ingest.ts"

type Quarantine = ReadonlyArray<SetAside>

/** Images between two lines of progress: often enough to see it move. */
const reportEvery = 500

/** Writes images as shards while they arrive; `total` is for the progress shown. */
const writeSplit = Effect.fnUntraced(function* <E, R>(
  name: string,
  total: number,
  images: Stream.Stream<Example | LargeImage, E, R>
) {
  const store = yield* BlobStore
  const job = yield* JobContext
  const writer = new ShardWriter()
  const shards: Array<Shard> = []
  const put = Effect.fnUntraced(function* (shard: Uint8Array | undefined) {
    if (shard !== undefined) shards.push(yield* store.put(shard))
  })
  const putLarge = Effect.fnUntraced(function* ({ file, label, name }: LargeImage) {
    yield* put(writer.skip())
    const ref = { blob: file.digest, sizeBytes: file.sizeBytes }
    yield* store.putStream(ref, file.source)
    shards.push({ ...ref, single: { name, origin: name, label } })
  })
  const report = Effect.suspend(() =>
    job.report({ phase: name, done: writer.numExamples, total, unit: "images", facts: {} })
  )
  yield* Stream.runForEach(
    images,
    Effect.fnUntraced(function* (image) {
      yield* "file" in image ? putLarge(image) : put(writer.add(image))
      if (writer.numExamples % reportEvery === 0) yield* report
    })
  )
  yield* put(writer.finish())
  yield* report
  return { numExamples: writer.numExamples, shards } satisfies Split
})

function* idxExamples(images: IdxImages, labels: Uint8Array): Generator<LabelledImage> {
  const { height, width, pixels } = images
  const size = height * width
  for (let index = 0; index < labels.length; index++) {
    const image = {
      pixels: pixels.subarray(index * size, (index + 1) * size),
      height,
      width,
      channels: 1
    } as const
    yield { name: "image.pgm", bytes: encodeNetpbm(image), label: labels[index]! }
  }
}

const ingestIdx = Effect.fnUntraced(function* ({ classes, files }: typeof IdxSource.Type) {
  const sources = yield* SourceFiles
  const read = Effect.fnUntraced(function* (split: "train" | "test") {
    const [imageFile, labelFile] =
      split === "train" ? [files.trainImages, files.trainLabels] : [files.testImages, files.testLabels]
    const imageBytes = yield* sources.fetch(imageFile)
    const images = yield* Effect.fromResult(decodeIdxImages(imageFile.name, imageBytes))
    const labelBytes = yield* sources.fetch(labelFile)
    const labels = yield* Effect.fromResult(decodeIdxLabels(labelFile.name, labelBytes, classes.length))
    if (labels.length !== images.count) {
      const reason = `${images.count} images, but ${labelFile.name} has ${labels.length} labels`
      return yield* new DatasetInvalid({ dataset: imageFile.name, reason })
    }
    return yield* writeSplit(split, images.count, Stream.fromIterable(idxExamples(images, labels)))
  })
  return { classes, splits: { train: yield* read("train"), test: yield* read("test") }, quarantined: [] }
})

/** Scenes of the test split start here: how many are trained on does not change what is tested on. */
const firstTestScene = 2 ** 30

const ingestScenes = Effect.fnUntraced(function* (source: typeof ScenesSource.Type) {
  const { numTest, numTrain, seed, size, task } = source
  const maxShapes = source.maxShapes ?? (task === "classification" ? 1 : 3)
  const render = (name: string, first: number, count: number) =>
    writeSplit(name, count, Stream.fromIterable(sceneExamples({ task, seed, size, maxShapes, first, count })))
  const splits = {
    train: yield* render("train", 0, numTrain),
    test: yield* render("test", firstTestScene, numTest)
  }
  return { classes: sceneClasses(task), splits, quarantined: [] }
})

/** What lies in a folder of images, sorted into splits. */
const ingestImages = Effect.fnUntraced(function* (
  files: ReadonlyMap<string, FolderFile>,
  plan: ImageFolderPlan,
  options: TestSplitOptions
) {
  if (plan.ignored.length > 0) {
    const line = `${plan.ignored.length} files are not images by their ending (${plan.ignored[0]}, …)`
    yield* (yield* JobContext).note(line)
  }
  const quarantined: Array<Quarantine[number]> = []
  const splits: Record<string, Split> = {}
  for (const [name, images] of Object.entries(withTestSplit(plan.splits, options))) {
    splits[name] = yield* writeSplit(name, images.length, readImages(images, files, quarantined))
  }
  return { classes: plan.classes, splits, quarantined }
})

/** The files of the folder, by path, if they are those the run was planned with. */
const plannedFolder = Effect.fnUntraced(function* (
  source: typeof ImageFolderSource.Type | typeof ImageNetSource.Type
) {
  const job = yield* JobContext
  const folder = yield* (yield* SourceFiles).folder(source.path)
  const expected = job.externals[folderInput]!
  if (folder.digest !== expected) {
    const by = source.digest === null ? "plan" : "pipeline"
    return yield* new FolderChanged({ path: source.path, expected, by, found: folder.digest })
  }
  return new Map(folder.files.map((file) => [file.path, file]))
})

const ingestFolder = Effect.fnUntraced(function* (source: typeof ImageFolderSource.Type) {
  const files = yield* plannedFolder(source)
  const plan = yield* Effect.fromResult(planImageFolder(source.path, [...files.keys()]))
  return yield* ingestImages(files, plan, source)
})

const ingestImageNet = Effect.fnUntraced(function* (source: typeof ImageNetSource.Type) {
  const files = yield* plannedFolder(source)
  const find = Effect.fnUntraced(function* (name: string) {
    const reason = `it has no file "${name}"`
    return files.get(name) ?? (yield* new DatasetInvalid({ dataset: source.path, reason }))
  })
  const kit = yield* readDevelopmentKit(yield* (yield* find(imagenetFiles.kit)).bytes)
  const train = trainImages(kit, (yield* find(imagenetFiles.train)).source)
  const validation = validationImages(kit, (yield* find(imagenetFiles.validation)).source)
  const quarantined: Array<Quarantine[number]> = []
  const write = Effect.fnUntraced(function* (name: string, file: string, due: number, images: typeof train) {
    const alreadyAside = quarantined.length
    const split = yield* writeSplit(name, due, readableOnly(images, quarantined))
    const found = split.numExamples + quarantined.length - alreadyAside
    const line = `${file} has ${found} images, the development kit counts ${due}: is it complete?`
    if (found !== due) yield* (yield* JobContext).note(line)
    return split
  })
  const splits = {
    train: yield* write("train", imagenetFiles.train, kit.numTrain, train),
    test: yield* write("test", imagenetFiles.validation, kit.validation.length, validation)
  }
  return { classes: kit.classes, splits, quarantined }
})

const ingestImageArchive = Effect.fnUntraced(function* (source: typeof ImageArchiveSource.Type) {
  const hasher = yield* Hasher
  const files = packedFiles(hasher, yield* (yield* SourceFiles).archive(source))
  const plan = yield* Effect.fromResult(planImageFolder(source.name, [...files.keys()]))
  const images = Object.values(plan.splits).flat()
  const found = digestOfDigested(
    hasher,
    images.map(({ path }) => files.get(path)!)
  )
  if (found !== source.digest) {
    return yield* new FolderChanged({ path: source.name, expected: source.digest, by: "pipeline", found })
  }
  return yield* ingestImages(files, plan, source)
})

const cifarFiles = {
  train: [1, 2, 3, 4, 5].map((number) => `data_batch_${number}.bin`),
  test: ["test_batch.bin"]
} as const

const ingestCifar = Effect.fnUntraced(function* ({ classes, files: tree }: typeof CifarSource.Type) {
  const files = new UsedFiles(tree, yield* openTree(tree, (yield* JobContext).externals[folderInput]))
  const read = Effect.fnUntraced(function* (name: string) {
    const bytes = yield* files.read(name)
    if (bytes !== undefined) return yield* Effect.fromResult(decodeCifarBatch(name, bytes, classes.length))
    return yield* new DatasetInvalid({ dataset: files.name, reason: `it has no file "${name}"` })
  })
  const write = Effect.fnUntraced(function* (split: keyof typeof cifarFiles) {
    const batches = yield* Effect.forEach(cifarFiles[split], read)
    const total = batches.reduce((sum, { count }) => sum + count, 0)
    return yield* writeSplit(split, total, Stream.fromIterable(cifarExamples(batches)))
  })
  const splits = { train: yield* write("train"), test: yield* write("test") }
  yield* files.checked(yield* Hasher)
  return { classes, splits, quarantined: [] }
})

function* cifarExamples(batches: ReadonlyArray<CifarBatch>): Generator<LabelledImage> {
  for (const { count, image, label } of batches) {
    for (let index = 0; index < count; index++) {
      yield { name: "image.ppm", bytes: encodeNetpbm(image(index)), label: label(index) }
    }
  }
}

/** Examples of listed files that are there and readable; the others are set aside with the reason. */
const ingestListed = Effect.fnUntraced(function* (
  listed: ListedDataset,
  { classes }: { readonly classes: ReadonlyArray<string> }
) {
  const quarantined: Array<Quarantine[number]> = []
  const splits: Record<string, Split> = {}
  for (const [name, examples] of Object.entries(listed.splits)) {
    const alreadyAside = quarantined.length
    const found = Stream.fromIterable(examples).pipe(
      Stream.mapEffect((example) => example),
      Stream.filterMap((example) => {
        if (Result.isFailure(example)) quarantined.push(example.failure)
        return example
      })
    )
    splits[name] = yield* writeSplit(name, examples.length, found)
    if (splits[name].numExamples === 0) {
      const first = quarantined[alreadyAside]
      const why = first === undefined ? "its list is empty" : `first: ${first.file}: ${first.reason}`
      const reason = `split "${name}" has no usable image (${why})`
      return yield* new DatasetInvalid({ dataset: listed.name, reason })
    }
  }
  yield* listed.checked
  return { classes, splits, quarantined }
})

const ingestSource = Effect.fnUntraced(function* ({ source }: typeof IngestParams.Type) {
  const planned = (yield* JobContext).externals[folderInput]
  switch (source._tag) {
    case "Idx":
      return yield* ingestIdx(source)
    case "Scenes":
      return yield* ingestScenes(source)
    case "Cifar":
      return yield* ingestCifar(source)
    case "ImageNet":
      return yield* ingestImageNet(source)
    case "ImageFolder":
      return yield* ingestFolder(source)
    case "ImageArchive":
      return yield* ingestImageArchive(source)
    case "PascalVoc":
      return yield* ingestListed(yield* readPascalVoc(source, planned), source)
    case "IndexMasks":
      return yield* ingestListed(yield* readIndexMasks(source, planned), source)
  }
})

export const run = Effect.fn("ingest")(function* ({ params }: { readonly params: typeof IngestParams.Type }) {
  const { source } = params
  const dataset = yield* ingestSource(params)
  if (dataset.quarantined.length > 0) {
    yield* (yield* JobContext).note(`${dataset.quarantined.length} files were set aside: see "quarantined"`)
  }
  const value = { _tag: "ImageDataset", ...dataset } as const
  const task = source._tag === "Scenes" ? source.task : "classification"
  if (source._tag === "PascalVoc" || task === "detection") return { ...value, task: "detection" } as const
  if (source._tag === "IndexMasks" || task === "segmentation") {
    const ignoreIndex = source._tag === "IndexMasks" ? source.ignoreIndex : null
    return { ...value, task: "segmentation", ignoreIndex } as const
  }
  return { ...value, task: "classification" } as const
})
