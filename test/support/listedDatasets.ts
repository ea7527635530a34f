/** Small datasets of listed files, in memory, and what the stages make of them. */
import { Effect, Layer, Schema } from "effect"
import { digestOf } from "../../infra/hashing.ts"
import { layer as codecLayer } from "../../infra/images/SharpImageCodec.ts"
import { FolderChanged } from "../../lib/data/DatasetInvalid.ts"
import { encodeNetpbm } from "../../lib/data/formats/netpbm.ts"
import { SourceFiles } from "../../lib/data/SourceFiles.ts"
import type { ImageDatasetValue } from "../../stages/artifacts.ts"
import { run as runIngest } from "../../stages/ingest.run.ts"
import { IngestParams } from "../../stages/ingest.ts"
import { run as runPreprocess } from "../../stages/preprocess.run.ts"
import { PreprocessParams } from "../../stages/preprocess.ts"
import { memoryFolder } from "./memoryFolder.ts"
import { blobsLayer, type JobRecord, jobLayer } from "./stageServices.ts"

export type Files = Readonly<Record<string, Uint8Array | string>>
type Source = (typeof IngestParams.Encoded)["source"]

const bytesOf = (content: Uint8Array | string): Uint8Array =>
  typeof content === "string" ? new TextEncoder().encode(content) : content

const contentsOf = (files: Files): ReadonlyMap<string, Uint8Array> =>
  new Map(Object.entries(files).map(([path, content]) => [path, bytesOf(content)]))

/** What a plan finds where the folder holds these files. */
export const plannedWith = (files: Files) => ({
  externals: { images: memoryFolder(contentsOf(files)).digest }
})

/** One folder, which is every archive too. */
export const services = (files: Files, record?: JobRecord) => {
  const contents = contentsOf(files)
  const sources = Layer.succeed(SourceFiles, {
    fetch: () => Effect.die("nothing is fetched by its digest here"),
    archive: () => Effect.succeed(contents),
    folder: () => Effect.succeed(memoryFolder(contents)),
    file: () => Effect.die("no file of the user's is read here")
  })
  return Layer.mergeAll(blobsLayer, jobLayer(record), codecLayer, sources)
}

export const ingest = (source: Source) =>
  runIngest({ params: Schema.decodeUnknownSync(IngestParams)({ source }) })

/** Of no dataset here. */
export const otherDigest = digestOf("other")

/** What the source's digest is: as somebody finds out who names another. */
export const digestAsked = (source: Source) =>
  Effect.matchEffect(ingest(source), {
    onFailure: (error) => (error instanceof FolderChanged ? Effect.succeed(error.found) : Effect.fail(error)),
    onSuccess: () => Effect.die("a source of other content was taken")
  })

export const preprocess = (
  dataset: ImageDatasetValue,
  params: Partial<typeof PreprocessParams.Encoded> = {}
) =>
  runPreprocess({
    params: Schema.decodeSync(PreprocessParams)({
      height: 6,
      width: 8,
      channels: 3,
      validation: 0,
      ...params
    }),
    inputs: { dataset }
  })

/** A picture of 6 rows and 8 columns; `value` tells it apart. */
export const picture = (value: number, height = 6, width = 8): Uint8Array =>
  encodeNetpbm({ pixels: new Uint8Array(height * width * 3).fill(value), height, width, channels: 3 })

/** Class indices of such a picture: all 1, or as given. */
export const maskFile = (indices = new Uint8Array(48).fill(1), height = 6, width = 8): Uint8Array =>
  encodeNetpbm({ pixels: indices, height, width, channels: 1 })

export const vocObject = (name: string, corners: readonly [number, number, number, number], more = "") => {
  const [xmin, ymin, xmax, ymax] = corners
  return (
    `<object><name>${name}</name>${more}<bndbox><xmin>${xmin}</xmin><ymin>${ymin}</ymin>` +
    `<xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox></object>`
  )
}

export const vocXml = (objects: string, size = "<size><width>8</width><height>6</height></size>") =>
  `<annotation>${size}${objects}</annotation>`

/** Pascal VOC in `files`, of the classes cat and dog. */
export const vocSource = (digest: string | null) =>
  ({
    _tag: "PascalVoc",
    files: { _tag: "Folder", path: "/cats", digest },
    classes: ["cat", "dog"],
    splits: { train: "ImageSets/Main/train.txt", test: "ImageSets/Main/val.txt" }
  }) as const

/** Images and masks of the classes road and car, 9 where nobody knows. */
export const maskSource = (digest: string | null) =>
  ({
    _tag: "IndexMasks",
    files: { _tag: "Folder", path: "/streets", digest },
    classes: ["road", "car"],
    ignoreIndex: 9,
    listRoot: "/home/me/",
    splits: { train: "train.txt", test: "val.txt" }
  }) as const
