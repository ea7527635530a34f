/**
 * Brings images and what is known of them (classes, boxes, masks) from outside into the store, as they are:
 * verified, sorted into splits, not decoded.
 */
import { Schema } from "effect"
import { SourceArchive, SourceFile } from "../lib/data/SourceFiles.ts"
import { leftOut, withDefault } from "../lib/models/withDefault.ts"
import { Digest } from "../lib/storage/Digest.ts"
import * as Artifact from "../lib/workflow/Artifact.ts"
import type { External } from "../lib/workflow/ExternalInputs.ts"
import * as Stage from "../lib/workflow/Stage.ts"
import { ImageDataset, type ImageDatasetValue, TaskName } from "./artifacts.ts"

const integer = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const seed = withDefault(integer(0, 2 ** 32 - 1), 0)

/** Four files in the format of MNIST and Fashion-MNIST. `classes` names the labels 0, 1, 2, … */
export const IdxSource = Schema.TaggedStruct("Idx", {
  classes: Schema.Array(Schema.String).check(Schema.isMinLength(2), Schema.isMaxLength(256)),
  files: Schema.Struct({
    trainImages: SourceFile,
    trainLabels: SourceFile,
    testImages: SourceFile,
    testLabels: SourceFile
  })
})

/** Shapes on textured backgrounds, drawn from a seed (`lib/data/scenes`). Eight classes, balanced. */
export const ScenesSource = Schema.TaggedStruct("Scenes", {
  seed,
  task: withDefault(TaskName, "classification"),
  /** Shapes of a scene at most; null: one for classification, three else. */
  maxShapes: withDefault(Schema.NullOr(integer(1, 16)), null),
  /** Pixels per side. */
  size: withDefault(integer(16, 1024), 32),
  numTrain: integer(8, 2 ** 24),
  numTest: integer(8, 2 ** 24)
})

const digest = withDefault(Schema.NullOr(Digest), null)

const testSplit = {
  /** How much of each class is set aside for testing where the folder has no `test`. */
  testFraction: withDefault(Schema.Number.check(Schema.isBetween({ minimum: 0.01, maximum: 0.9 })), 0.2),
  seed
}

/**
 * A folder on this machine, `split/class/image` or `class/image`. The result depends on the names and
 * contents of its files; `digest` says what they must be, for a pipeline that is to mean the same everywhere.
 */
export const ImageFolderSource = Schema.TaggedStruct("ImageFolder", {
  path: Schema.NonEmptyString,
  digest,
  ...testSplit,
  /** Its `validation` (or `val`) is what is tested on, as ImageNet's is: that of the test has no labels. */
  testOnValidation: leftOut(Schema.Boolean, false)
})

/** ILSVRC2012 as it is offered: a folder with the two archives of images and the development kit. */
export const ImageNetSource = Schema.TaggedStruct("ImageNet", { path: Schema.NonEmptyString, digest })

/** Such a folder packed. `digest` is that of the names and contents of its images: see {@link FileTree}. */
export const ImageArchiveSource = Schema.TaggedStruct("ImageArchive", {
  ...SourceArchive.fields,
  digest,
  ...testSplit
})

/**
 * A folder on this machine, or an archive. `digest` is that of the names and contents of the files the
 * dataset uses, so it is the same however they are packed. An archive needs one: leave it out once, and the
 * error says what to write. A folder without one is taken as it is.
 */
export const FileTree = Schema.Union([
  Schema.TaggedStruct("Folder", { path: Schema.NonEmptyString, digest }),
  Schema.TaggedStruct("Archive", { ...SourceArchive.fields, digest })
])

/** Files that list the images of a split, by their path in the tree. */
const Splits = Schema.Struct({
  train: Schema.NonEmptyString,
  validation: Schema.optionalKey(Schema.NonEmptyString),
  test: Schema.NonEmptyString
})

const classes = Schema.Array(Schema.NonEmptyString).check(Schema.isMinLength(1), Schema.isMaxLength(255))

const folder = (name: string) => withDefault(Schema.String, name)

/** CIFAR-10's binary batches: `data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin`. */
export const CifarSource = Schema.TaggedStruct("Cifar", { files: FileTree, classes })

/** Boxes in the layout of Pascal VOC: lists of names, a JPEG and an XML file for each. */
export const PascalVocSource = Schema.TaggedStruct("PascalVoc", {
  files: FileTree,
  classes,
  splits: Splits,
  imagesFolder: folder("JPEGImages"),
  annotationsFolder: folder("Annotations")
})

/**
 * Images and masks of class indices, paired by lists of `image mask` lines (CamVid as SegNet published
 * it).
 */
export const IndexMasksSource = Schema.TaggedStruct("IndexMasks", {
  files: FileTree,
  classes,
  /** The mask value of pixels nobody labelled; null: there is none. */
  ignoreIndex: Schema.NullOr(integer(0, 255)),
  splits: Splits,
  /** The beginning of the paths in the lists that is not in the tree: `/SegNet/CamVid/`. */
  listRoot: folder("")
})

export const IngestSource = Schema.Union([
  IdxSource,
  ScenesSource,
  CifarSource,
  ImageNetSource,
  ImageFolderSource,
  ImageArchiveSource,
  PascalVocSource,
  IndexMasksSource
])
export const IngestParams = Schema.Struct({ source: IngestSource })
export const ingestInputs = {}

type SourceInput = (typeof IngestParams.Encoded)["source"]

const taskOf = (source: { readonly _tag?: unknown; readonly task?: unknown }): TaskName => {
  switch (source._tag) {
    case "PascalVoc":
      return "detection"
    case "IndexMasks":
      return "segmentation"
    case "Scenes":
      return source.task as TaskName
    default:
      return "classification"
  }
}

/** What `explain` calls the folder that images are read from. */
export const folderInput = "images"

/** A folder whose content the params name is not looked at while planning; an archive's always is named. */
const externalsOf = ({ source }: typeof IngestParams.Type): ReadonlyArray<External> => {
  const folderAt = (
    where: string,
    { digest, path }: { readonly path: string; digest: Digest | null }
  ): External => ({
    name: folderInput,
    kind: "folder",
    path,
    standsFor: [`${where}.path`, `${where}.digest`],
    ...(digest !== null && { pinned: digest })
  })
  if (source._tag === "ImageFolder" || source._tag === "ImageNet") return [folderAt("source", source)]
  if (!("files" in source) || !("_tag" in source.files)) return []
  return source.files._tag === "Folder" ? [folderAt("source.files", source.files)] : []
}

const stage = Stage.make("ingest", {
  params: IngestParams,
  inputs: ingestInputs,
  output: Artifact.oneOf<ImageDatasetValue>(
    ImageDataset.classification,
    ImageDataset.detection,
    ImageDataset.segmentation
  ),
  outputOf: ({ params }): Artifact.ArtifactType<ImageDatasetValue> =>
    ImageDataset[taskOf(params.source as { readonly _tag: string })],
  externals: externalsOf,
  run: () => import("./ingest.run.ts")
})

type TaskOf<S> = S extends { readonly _tag: "PascalVoc" }
  ? "detection"
  : S extends { readonly _tag: "IndexMasks" }
    ? "segmentation"
    : S extends { readonly _tag: "Scenes"; readonly task: infer T extends TaskName }
      ? T
      : "classification"

/** Params that a source of this kind does not have: inferred types would let them pass. */
type Strays<S extends SourceInput> = S extends unknown
  ? { readonly [K in Exclude<keyof S, keyof Extract<SourceInput, Pick<S, "_tag">>>]: never }
  : never

/** The source decides the task. */
export const Ingest = stage as unknown as Omit<typeof stage, never> &
  (<const S extends SourceInput>(args: {
    readonly params: { readonly source: S & Strays<S> }
    readonly inputs: typeof ingestInputs
  }) => Artifact.ArtifactRef<ImageDatasetValue<TaskOf<S>>>)
