/** ILSVRC2012 in small, in both layouts: the official archives, and a folder of images as it is unpacked. */
import { deflateSync, gzipSync } from "node:zlib"
import { imagenetFiles } from "../../lib/data/imagenet.ts"
import { writeTar } from "../../lib/data/tar-writer.ts"

export interface Miniature {
  readonly numClasses: number
  readonly imagesPerClass: number
  readonly validationPerClass: number
  /** A JPEG; validation images have the indices behind those that are trained on. */
  readonly image: (label: number, index: number) => Uint8Array
}

const encoder = new TextEncoder()

/** A data element of MATLAB's format: tag, bytes, padding to eight. */
const element = (type: number, bytes: Uint8Array): Uint8Array => {
  const out = Buffer.alloc(8 + Math.ceil(bytes.length / 8) * 8)
  out.writeUInt32LE(type, 0)
  out.writeUInt32LE(bytes.length, 4)
  out.set(bytes, 8)
  return out
}

const int32 = (...values: ReadonlyArray<number>) => new Uint8Array(Int32Array.from(values).buffer)

const matrix = (
  kind: number,
  dims: readonly [number, number],
  name: string,
  values: ReadonlyArray<Uint8Array>
) =>
  element(
    14,
    Buffer.concat([
      element(6, int32(kind, 0)),
      element(5, int32(...dims)),
      element(1, encoder.encode(name)),
      ...values
    ])
  )

const text = (value: string) => matrix(4, [1, value.length], "", [element(16, encoder.encode(value))])
const number = (value: number) =>
  matrix(6, [1, 1], "", [element(9, new Uint8Array(Float64Array.of(value).buffer))])

/** `meta.mat` with these classes, by their numbers from 1, and one group of them. */
const metaMat = (wordnetIds: ReadonlyArray<string>, imagesPerClass: number): Uint8Array => {
  const fields = ["ILSVRC2012_ID", "WNID", "num_children", "num_train_images"]
  const names = Buffer.alloc(32 * fields.length)
  for (const [at, field] of fields.entries()) names.write(field, 32 * at)
  const leaves = wordnetIds.map((wordnetId, at) => [
    number(at + 1),
    text(wordnetId),
    number(0),
    number(imagesPerClass)
  ])
  const group = [number(wordnetIds.length + 1), text("n00001740"), number(wordnetIds.length), number(0)]
  const rows = [...leaves, group]
  const structs = matrix(2, [rows.length, 1], "synsets", [
    element(5, int32(32)),
    element(1, names),
    ...rows.flat()
  ])
  const packed = deflateSync(structs)
  const tag = Buffer.alloc(8)
  tag.writeUInt32LE(15, 0)
  tag.writeUInt32LE(packed.length, 4)
  const header = Buffer.alloc(128, " ")
  header.write("MATLAB 5.0 MAT-file")
  header.writeUInt16LE(0x0100, 124)
  header.write("IM", 126)
  return Buffer.concat([header, tag, packed])
}

/** By label: `n00000100`, `n00000101`, …; the kit counts them from the last one. */
export const wordnetIdsOf = ({ numClasses }: Pick<Miniature, "numClasses">): ReadonlyArray<string> =>
  Array.from({ length: numClasses }, (_, label) => `n${String(label + 100).padStart(8, "0")}`)

const range = (length: number): ReadonlyArray<number> => Array.from({ length }, (_, index) => index)

const trainNames = (wordnetId: string, count: number) =>
  range(count).map((index) => `${wordnetId}_${index}.JPEG`)

/** Labels of the validation images in the order of their numbers, one class after another and again. */
const validationLabels = ({ numClasses, validationPerClass }: Miniature) =>
  range(numClasses * validationPerClass).map((index) => index % numClasses)

const validationName = (index: number) => `ILSVRC2012_val_${String(index + 1).padStart(8, "0")}.JPEG`

const validationBytes = ({ image, imagesPerClass, numClasses }: Miniature, index: number) =>
  image(index % numClasses, imagesPerClass + Math.floor(index / numClasses))

/** The three files of ILSVRC2012, by their names. */
export const officialArchives = (miniature: Miniature): ReadonlyMap<string, Uint8Array> => {
  const { image, imagesPerClass, numClasses } = miniature
  const wordnetIds = wordnetIdsOf(miniature)
  const classArchives = wordnetIds.map((wordnetId, label) => ({
    name: `${wordnetId}.tar`,
    bytes: writeTar(
      trainNames(wordnetId, imagesPerClass).map((name, index) => ({ name, bytes: image(label, index) }))
    )
  }))
  const labels = validationLabels(miniature)
  const validation = labels.map((_, index) => ({
    name: validationName(index),
    bytes: validationBytes(miniature, index)
  }))
  const truth = labels.map((label) => `${numClasses - label}\n`).join("")
  const kit = [
    {
      name: "ILSVRC2012_devkit_t12/data/meta.mat",
      bytes: metaMat([...wordnetIds].reverse(), imagesPerClass)
    },
    {
      name: "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt",
      bytes: encoder.encode(truth)
    }
  ]
  return new Map([
    [imagenetFiles.train, writeTar(classArchives)],
    [imagenetFiles.validation, writeTar(validation)],
    [imagenetFiles.kit, gzipSync(writeTar(kit))]
  ])
}

/** `train/n00000100/n00000100_0.JPEG`, `val/n00000100/ILSVRC2012_val_00000001.JPEG`, … */
export const unpackedFolder = (miniature: Miniature): ReadonlyMap<string, Uint8Array> => {
  const { image, imagesPerClass } = miniature
  const wordnetIds = wordnetIdsOf(miniature)
  const train = wordnetIds.flatMap((wordnetId, label) =>
    trainNames(wordnetId, imagesPerClass).map(
      (name, index) => [`train/${wordnetId}/${name}`, image(label, index)] as const
    )
  )
  const validation = validationLabels(miniature).map(
    (label, index) =>
      [`val/${wordnetIds[label]}/${validationName(index)}`, validationBytes(miniature, index)] as const
  )
  return new Map([...train, ...validation])
}
