/**
 * The pipeline `imagenet` for two epochs on ILSVRC2012 in small: 1,000 classes of two images each, from the
 * official archives, every param but the number of epochs as it stands; with less than 32 GiB of memory
 * images of 299 pixels come in micro-batches of 64. Hours on a machine without a GPU, so only where
 * IMAGENET_MINIATURE names a folder: it keeps the store, and a run that is cut off goes on there.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { totalmem } from "node:os"
import { join } from "node:path"
import sharp from "sharp"
import { assert, it } from "vitest"
import { distillery } from "../infra/cli/builtProgram.ts"
import { officialArchives } from "../support/miniatureImageNet.ts"

const folder = process.env.IMAGENET_MINIATURE
const archives = join(folder ?? "", "imagenet")
const isAsked = folder !== undefined

const skipped = isAsked ? "" : " (skipped: IMAGENET_MINIATURE is not set)"

const numClasses = isAsked && !existsSync(archives) ? 1000 : 0
const hours = 3_600_000

/** Each class its own colour, each image its own brightness. */
const pictures = await Promise.all(
  Array.from({ length: numClasses * 3 }, (_, index) => {
    const [label, shade] = [Math.floor(index / 3), index % 3]
    const background = { r: (label % 10) * 25, g: (Math.floor(label / 10) % 10) * 25, b: 40 + 30 * shade }
    return sharp({ create: { width: 64, height: 48, channels: 3, background } })
      .jpeg()
      .toBuffer()
  })
)

const writeArchives = (): void => {
  if (numClasses === 0) return
  mkdirSync(archives, { recursive: true })
  const image = (label: number, index: number) => pictures[label * 3 + index]!
  const sizes = { numClasses, imagesPerClass: 2, validationPerClass: 1 }
  for (const [name, bytes] of officialArchives({ ...sizes, image }))
    writeFileSync(join(archives, name), bytes)
}

const trained = ["teacher", "teacher-299", "resnet", "mobilenet", "inception"]
const large = totalmem() < 32 * 2 ** 30 ? ["teacher-299", "inception"] : []
const changes = [
  ...trained.map((job) => `${job}.training.epochs=2`),
  ...large.map((job) => `${job}.training.microBatchSize=64`)
].flatMap((change) => ["--set", change])

it.skipIf(!isAsked)(
  `two epochs of all five trainings, evaluations and report${skipped}`,
  async () => {
    writeArchives()
    const began = performance.now()
    const { code, stderr, stdout } = await distillery(["run", "imagenet", ...changes, "--json"], {
      // The key that signs results is kept, too: those of another are not gone on from.
      environment: { DISTILLERY_BACKEND: "native", XDG_CONFIG_HOME: join(folder!, "config") },
      folder: folder!
    })
    assert.strictEqual(code, 0, stderr)
    const minutes = ((performance.now() - began) / 60_000).toFixed(1)
    console.info(
      `imagenet on the miniature: ${minutes} minutes; ${JSON.stringify(JSON.parse(stdout).metrics)}`
    )
  },
  12 * hours
)
