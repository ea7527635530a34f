/**
 * ILSVRC2012 as it is offered (image-net.org): a tar that holds one for each class, a flat one of validation
 * images, and the development kit, whose lists say which class each of those is.
 */
import { Effect, Stream } from "effect"
import type { ByteSource } from "../storage/ByteSource.ts"
import { DatasetInvalid } from "./DatasetInvalid.ts"
import { decompressed } from "./decompressed.ts"
import { readStructs } from "./formats/mat-file.ts"
import type { SourceError } from "./SourceFiles.ts"
import type { LabelledImage } from "./shards.ts"
import { type ArchiveInvalid, readTar } from "./tar.ts"
import { tarFiles } from "./tar-stream.ts"

export const imagenetFiles = {
  train: "ILSVRC2012_img_train.tar",
  validation: "ILSVRC2012_img_val.tar",
  kit: "ILSVRC2012_devkit_t12.tar.gz"
} as const

/** The kit takes 2.5 MB. */
const kitBytesMax = 2 ** 26

export interface DevelopmentKit {
  /** WordNet's ids of the classes, sorted: the order of labels that published weights have too. */
  readonly classes: ReadonlyArray<string>
  /** As many as the kit says. */
  readonly numTrain: number
  /** Label of each validation image, in the order of their numbers. */
  readonly validation: ReadonlyArray<number>
}

const invalid = (reason: string) => new DatasetInvalid({ dataset: imagenetFiles.kit, reason })

/** Fails with `DatasetInvalid`, or as its parts do, where the kit is not that of ILSVRC2012. */
export const readDevelopmentKit = Effect.fn("readDevelopmentKit")(function* (packed: Uint8Array) {
  const files = yield* readTar(
    imagenetFiles.kit,
    yield* decompressed(imagenetFiles.kit, packed, "gzip", kitBytesMax)
  )
  const find = Effect.fnUntraced(function* (name: string) {
    const file = files.find((one) => one.name.endsWith(`/data/${name}`))
    return file?.bytes ?? (yield* invalid(`it has no file "data/${name}"`))
  })
  const synsets = yield* readStructs("meta.mat", yield* find("meta.mat"), "synsets")
  // Rows behind the leaves are groups of classes.
  const leaves = synsets.filter(({ num_children }) => num_children === 0)
  const idOf = new Map(leaves.map(({ ILSVRC2012_ID, WNID }) => [ILSVRC2012_ID, WNID]))
  const classes = leaves.map(({ WNID }) => String(WNID)).sort()
  const labels = new Map(classes.map((name, label) => [name, label]))
  const lines = new TextDecoder().decode(yield* find("ILSVRC2012_validation_ground_truth.txt")).trim()
  const validation: Array<number> = []
  for (const line of lines.split(/\s+/)) {
    const label = labels.get(String(idOf.get(Number(line))))
    if (label === undefined)
      return yield* invalid(`its ground truth names class "${line}", which meta.mat lacks`)
    validation.push(label)
  }
  const numTrain = leaves.reduce((sum, { num_train_images }) => sum + Number(num_train_images ?? 0), 0)
  return { classes, numTrain, validation } satisfies DevelopmentKit
})

type Images = Stream.Stream<LabelledImage, ArchiveInvalid | DatasetInvalid | SourceError>

/** `n01440764.tar`, and in it `n01440764_10026.JPEG`, …: one class after another is held. */
export const trainImages = ({ classes }: DevelopmentKit, source: ByteSource<SourceError>): Images => {
  const labels = new Map(classes.map((name, label) => [`${name}.tar`, label]))
  return tarFiles(imagenetFiles.train, source).pipe(
    Stream.mapEffect(
      Effect.fnUntraced(function* ({ bytes, name }) {
        const label = labels.get(name)
        if (label === undefined) {
          const reason = `"${name}" is not the archive of one of the ${classes.length} classes of the kit`
          return yield* new DatasetInvalid({ dataset: imagenetFiles.train, reason })
        }
        const images = yield* readTar(name, bytes)
        return images.map((image) => ({
          name: image.name,
          origin: `train/${classes[label]}/${image.name}`,
          bytes: image.bytes,
          label
        }))
      })
    ),
    Stream.flatMap((images) => Stream.fromIterable(images))
  )
}

/** `ILSVRC2012_val_00000001.JPEG`, …: the number says which line of the ground truth is meant. */
export const validationImages = (
  { classes, validation }: DevelopmentKit,
  source: ByteSource<SourceError>
): Images =>
  tarFiles(imagenetFiles.validation, source).pipe(
    Stream.mapEffect(
      Effect.fnUntraced(function* ({ bytes, name }) {
        const label = validation[Number(/_val_(\d+)\.JPEG$/.exec(name)?.[1]) - 1]
        if (label === undefined) {
          const known = `${validation.length} images that the kit knows the class of`
          const reason = `"${name}" is none of the ${known}`
          return yield* new DatasetInvalid({ dataset: imagenetFiles.validation, reason })
        }
        return { name, origin: `val/${classes[label]}/${name}`, bytes, label }
      })
    )
  )
