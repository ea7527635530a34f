/**
 * The first images of Fashion-MNIST as a mirror of their own, and what has to be set for the pipeline
 * `fashion-mnist` to be computed from them at toy size. Where the dataset is absent, noise stands in.
 */
import { createHash, randomBytes } from "node:crypto"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gunzipSync, gzipSync } from "node:zlib"
import { Effect } from "effect"
import { memberOfFile } from "../../infra/sources/archive.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

const mirror =
  process.env.DISTILLERY_MIRROR ?? fileURLToPath(new URL("../../../shared/data", import.meta.url))
const archive = join(mirror, "fashion-mnist.tar")

const imageBytes = 28 * 28
/** By param: the file's name, the bytes of its header, and of an item. */
const files = {
  trainImages: ["train-images-idx3-ubyte", 16, imageBytes],
  trainLabels: ["train-labels-idx1-ubyte", 8, 1],
  testImages: ["t10k-images-idx3-ubyte", 16, imageBytes],
  testLabels: ["t10k-labels-idx1-ubyte", 8, 1]
} as const

const headerOf = (headerBytes: number, numItems: number): Buffer => {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt32BE(headerBytes === 16 ? 0x803 : 0x801, 0)
  header.writeUInt32BE(numItems, 4)
  if (headerBytes === 16) for (const at of [8, 12]) header.writeUInt32BE(28, at)
  return header
}

const itemsOf = async (name: string, headerBytes: number, sizeBytes: number): Promise<Uint8Array> => {
  if (!existsSync(archive))
    return randomBytes(sizeBytes).map((byte) => (headerBytes === 8 ? byte % 10 : byte))
  const member = `fashion-mnist/${name}.gz`
  const packed = await Effect.runPromise(memberOfFile("fashion-mnist.tar", archive, member, 2 ** 26))
  return gunzipSync(packed).subarray(headerBytes, headerBytes + sizeBytes)
}

/** So many that a shard of them, of some 18 MB, goes into the store in parts. */
const counts = { train: 6_700, test: 64 }

const toySize = [
  "prepared.limit=64",
  "teacher.architecture.depth=8",
  "teacher.training.precision=float32",
  ...["teacher", "student", "student-alone"].flatMap((job) => [
    `${job}.training.epochs=1`,
    `${job}.training.warmupEpochs=0`,
    `${job}.training.batchSize=32`
  ])
]

/** `flags` for `distillery run fashion-mnist`, and the folder for `DISTILLERY_MIRROR`. */
export const fashionMnistSlice = async (): Promise<{
  readonly mirror: string
  readonly flags: ReadonlyArray<string>
}> => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, "fashion-mnist.tar", "fashion-mnist"), { recursive: true })
  const digests: Array<string> = []
  for (const [param, [name, headerBytes, itemBytes]] of Object.entries(files)) {
    const numItems = param.startsWith("train") ? counts.train : counts.test
    const items = await itemsOf(name, headerBytes, numItems * itemBytes)
    const bytes = Buffer.concat([headerOf(headerBytes, numItems), items])
    writeFileSync(join(folder, "fashion-mnist.tar", "fashion-mnist", `${name}.gz`), gzipSync(bytes))
    const digest = createHash("sha256").update(bytes).digest("hex")
    digests.push(`images.source.files.${param}.sha256=sha256:${digest}`)
  }
  return { mirror: folder, flags: [...toySize, ...digests].flatMap((set) => ["--set", set]) }
}
