/** What a detector or a segmenter said of an image, drawn on it and written where people find it. */
import { rename, writeFile } from "node:fs/promises"
import { basename, dirname, extname, join } from "node:path"
import { Effect, Schema } from "effect"
import type { Detection } from "../../lib/boxes/nms.ts"
import { ignoredColour, maskColours } from "../../lib/charts/class-colours.ts"
import { drawBoxes, drawMask, enlarge, enlargement, withLegend } from "../../lib/charts/overlay.ts"
import { ImageCodec, type RawImage } from "../../lib/data/ImageCodec.ts"
import { makeFolder } from "../stores/makeFolder.ts"
import { readImage } from "./preparedImage.ts"

export class PictureNotWritten extends Schema.TaggedError<PictureNotWritten>()("PictureNotWritten", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    const what = `The picture could not be written to ${this.file}: ${this.reason}.`
    return `${what} Name another folder by --output.`
  }
}

/** Small images are enlarged until their longer side has about as many pixels as this. */
const sideMax = 800

/** For each file the names of its pictures, no two alike: `photo-detector`, then `photo-detector-2`. */
export const pictureNames = (files: ReadonlyArray<string>, model: string): ReadonlyArray<string> => {
  const seen = new Map<string, number>()
  return files.map((file) => {
    const name = `${basename(file, extname(file))}-${model}`
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    return count === 1 ? name : `${name}-${count}`
  })
}

const writePng = Effect.fn("writePng")(function* (image: RawImage, file: string) {
  const bytes = yield* (yield* ImageCodec).encodePng(image)
  yield* Effect.tryPromise({
    try: async () => {
      const temporary = `${file}.${process.pid}.tmp`
      await makeFolder(dirname(file))
      await writeFile(temporary, bytes)
      await rename(temporary, file)
    },
    catch: (error) => new PictureNotWritten({ file, reason: (error as Error).message })
  })
  return file
})

/** `file` with its boxes as `<name>.png` in the folder; the path of that. */
export const drawDetections = Effect.fn("drawDetections")(function* (options: {
  readonly file: string
  /** In pixels of the file's image. */
  readonly detections: ReadonlyArray<Detection>
  readonly classes: ReadonlyArray<string>
  readonly folder: string
  readonly name: string
}) {
  const { classes, detections, file, folder, name } = options
  const image = yield* readImage(file, 3)
  const factor = enlargement(image, sideMax)
  const boxes = detections.map(({ box, classIndex, score }) => ({
    box: box.map((value) => value * factor),
    classIndex,
    text: `${classes[classIndex]!} ${Math.round(100 * score)}%`
  }))
  return yield* writePng(drawBoxes(enlarge(image, factor), boxes), join(folder, `${name}.png`))
})

/** Indices of the classes that a mask has. */
const classesIn = (mask: Uint8Array, classes: ReadonlyArray<string>): ReadonlyArray<number> => {
  const found = new Set(mask)
  return classes.map((_, index) => index).filter((index) => found.has(index))
}

/** `file` under its classes' colours as `<name>.png`, class indices as grey values as `<name>-mask.png`. */
export const drawSegmentation = Effect.fn("drawSegmentation")(function* (options: {
  readonly file: string
  /** `[H × W]` of the file's image. */
  readonly mask: Uint8Array
  readonly classes: ReadonlyArray<string>
  readonly folder: string
  readonly name: string
}) {
  const { classes, file, folder, mask, name } = options
  const image = yield* readImage(file, 3)
  const { height, width } = image
  const enlarged = enlarge(image, enlargement(image, sideMax))
  const colours = maskColours(classes)
  const drawn = withLegend(
    drawMask(enlarged, { mask, height, width, colours }),
    classesIn(mask, classes).map((index) => ({
      text: classes[index]!,
      colour: colours[index] ?? ignoredColour
    }))
  )
  return {
    overlay: yield* writePng(drawn, join(folder, `${name}.png`)),
    mask: yield* writePng({ pixels: mask, height, width, channels: 1 }, join(folder, `${name}-mask.png`))
  }
})
