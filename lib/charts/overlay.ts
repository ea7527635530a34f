/** Boxes, their names and masks drawn on pictures, pixel by pixel: the same in a report and in a file. */
import type { RawImage } from "../data/ImageCodec.ts"
import { classColour, ignoredColour, inkOn, type Rgb } from "./class-colours.ts"
import { fontRows, forEachDot, textColumns } from "./pixel-font.ts"

type Size = Pick<RawImage, "height" | "width">

/** A picture in colour that is drawn on. */
interface Canvas extends Size {
  readonly pixels: Uint8Array
}

const canvasOf = ({ pixels, height, width, channels }: RawImage): Canvas => {
  if (channels === 3) return { pixels: pixels.slice(), height, width }
  const rgb = new Uint8Array(3 * pixels.length)
  for (let i = 0; i < pixels.length; i++) rgb.fill(pixels[i]!, 3 * i, 3 * i + 3)
  return { pixels: rgb, height, width }
}

const imageOf = (canvas: Canvas): RawImage => ({ ...canvas, channels: 3 })

/** The largest whole factor that keeps the longer side within `sideMax`, at least 1. */
export const enlargement = ({ height, width }: Size, sideMax: number): number =>
  Math.max(1, Math.floor(sideMax / Math.max(height, width)))

/** Every pixel as a square of `factor` × `factor`. */
export const enlarge = (image: RawImage, factor: number): RawImage => {
  if (factor === 1) return image
  const { pixels, height, width, channels } = image
  const enlarged = new Uint8Array(pixels.length * factor * factor)
  const rowLength = width * factor * channels
  for (let y = 0; y < height; y++) {
    const row = enlarged.subarray(y * factor * rowLength, (y * factor + 1) * rowLength)
    for (let x = 0; x < width * factor; x++) {
      const from = (y * width + Math.floor(x / factor)) * channels
      for (let channel = 0; channel < channels; channel++)
        row[x * channels + channel] = pixels[from + channel]!
    }
    for (let copy = 1; copy < factor; copy++) enlarged.set(row, (y * factor + copy) * rowLength)
  }
  return { pixels: enlarged, height: height * factor, width: width * factor, channels }
}

interface Area {
  readonly top: number
  readonly left: number
  readonly bottom: number
  readonly right: number
}

const fill = ({ pixels, height, width }: Canvas, area: Area, colour: Rgb): void => {
  const [left, right] = [Math.max(0, area.left), Math.min(width, area.right)]
  for (let y = Math.max(0, area.top); y < Math.min(height, area.bottom); y++) {
    for (let x = left; x < right; x++) pixels.set(colour, 3 * (y * width + x))
  }
}

/** What a box's frame and its name are drawn with, in pixels: finer on small pictures. */
const strokesFor = ({ height, width }: Size) => {
  const side = Math.max(height, width)
  return { frame: Math.max(2, Math.round(side / 250)), dot: Math.max(1, Math.round(side / 400)) }
}

export interface DrawnBox {
  /** `[y1, x1, y2, x2]` in pixels of the picture it is drawn on. */
  readonly box: ArrayLike<number>
  readonly classIndex: number
  /** Written on it, the name of the class for one. */
  readonly text: string
}

/**
 * Frames in the colour of their class, then all the names, so that none lies under another box's frame. The
 * first box comes to lie on top: given the best first, it is the one that is read where boxes agree.
 */
export const drawBoxes = (image: RawImage, boxes: ReadonlyArray<DrawnBox>): RawImage => {
  const canvas = canvasOf(image)
  const { frame, dot } = strokesFor(canvas)
  const placed = boxes.toReversed().map(({ box, classIndex, text }) => {
    return { area: areaOf(box, canvas), colour: classColour(classIndex), text }
  })
  for (const { area, colour } of placed) drawFrame(canvas, area, frame, colour)
  for (const { area, colour, text } of placed) drawName(canvas, area, text, dot, colour)
  return imageOf(canvas)
}

/** Whole pixels inside the picture, at least one. */
const areaOf = (box: ArrayLike<number>, { height, width }: Canvas): Area => {
  const within = (value: number, low: number, high: number) =>
    Math.max(low, Math.min(high, Math.round(value)))
  const [top, left] = [within(box[0]!, 0, height - 1), within(box[1]!, 0, width - 1)]
  return { top, left, bottom: within(box[2]!, top + 1, height), right: within(box[3]!, left + 1, width) }
}

const drawFrame = (canvas: Canvas, { top, left, bottom, right }: Area, thickness: number, colour: Rgb) => {
  fill(canvas, { top, left, bottom: Math.min(bottom, top + thickness), right }, colour)
  fill(canvas, { top: Math.max(top, bottom - thickness), left, bottom, right }, colour)
  fill(canvas, { top, left, bottom, right: Math.min(right, left + thickness) }, colour)
  fill(canvas, { top, left: Math.max(left, right - thickness), bottom, right }, colour)
}

/** A name on its colour; how large, in pixels of a picture whose letters are made of such dots. */
const plateSize = (text: string, dot: number) => ({
  height: (fontRows + 2) * dot,
  width: (textColumns(text) + 4) * dot
})

const drawPlate = (
  canvas: Canvas,
  { text, colour }: NamedColour,
  { top, left, dot }: { readonly top: number; readonly left: number; readonly dot: number }
): void => {
  const { height, width } = plateSize(text, dot)
  fill(canvas, { top, left, bottom: top + height, right: left + width }, colour)
  const ink = inkOn(colour)
  forEachDot(text, (row, column) => {
    const [inkTop, inkLeft] = [top + (row + 1) * dot, left + (column + 2) * dot]
    fill(canvas, { top: inkTop, left: inkLeft, bottom: inkTop + dot, right: inkLeft + dot }, ink)
  })
}

/** Above the box's upper left corner; inside the picture where it would leave it. */
const drawName = (canvas: Canvas, { top, left }: Area, text: string, dot: number, colour: Rgb): void => {
  if (text === "") return
  const { height, width } = plateSize(text, dot)
  const place = {
    top: Math.max(0, top - height),
    left: Math.max(0, Math.min(left, canvas.width - width)),
    dot
  }
  drawPlate(canvas, { text, colour }, place)
}

export interface NamedColour {
  readonly text: string
  readonly colour: Rgb
}

/** The picture with a strip of names on their colours below it, in as many lines as they need. */
export const withLegend = (image: RawImage, entries: ReadonlyArray<NamedColour>): RawImage => {
  const { dot } = strokesFor(image)
  const [line, gap] = [plateSize("", dot).height + 2 * dot, 2 * dot]
  let [top, left] = [image.height + dot, 0]
  const placed = entries.map((entry) => {
    const { width } = plateSize(entry.text, dot)
    if (left > 0 && left + width > image.width) [top, left] = [top + line, 0]
    const place = { top, left, dot }
    left += width + gap
    return { entry, place }
  })
  const height = placed.length === 0 ? image.height : top - dot + line
  const pixels = new Uint8Array(3 * image.width * height)
  pixels.set(canvasOf(image).pixels)
  const canvas = { pixels, height, width: image.width }
  for (const { entry, place } of placed) drawPlate(canvas, entry, place)
  return imageOf(canvas)
}

export interface DrawnMask {
  /** `[h, w]` class of each pixel; the picture may be of another size. */
  readonly mask: Uint8Array
  readonly height: number
  readonly width: number
  /** Of each class; `null` shows the picture alone. */
  readonly colours: ReadonlyArray<Rgb | null>
}

/**
 * The picture in grey, mixed half and half with the colours of the classes: its own colours would make others
 * of them. A value that is no class is ignored: plain grey.
 */
export const drawMask = (image: RawImage, { mask, height, width, colours }: DrawnMask): RawImage => {
  const { pixels, ...size } = canvasOf(image)
  for (let y = 0; y < size.height; y++) {
    const row = Math.floor((y * height) / size.height) * width
    for (let x = 0; x < size.width; x++) {
      const value = mask[row + Math.floor((x * width) / size.width)]!
      const at = 3 * (y * size.width + x)
      const grey = luma(pixels[at]!, pixels[at + 1]!, pixels[at + 2]!)
      const colour = value < colours.length ? colours[value] : ignoredColour
      for (let channel = 0; channel < 3; channel++) {
        pixels[at + channel] =
          colour === ignoredColour ? colour[channel]! : (grey + (colour?.[channel] ?? grey)) / 2
      }
    }
  }
  return imageOf({ pixels, ...size })
}

/** ITU-R BT.601 */
const luma = (red: number, green: number, blue: number): number => 0.299 * red + 0.587 * green + 0.114 * blue
