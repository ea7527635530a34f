/** A picture with boxes on it, as SVG in a page: frames and names stay sharp at any size. */
import { classColour, cssColour, inkOn } from "./class-colours.ts"
import { type Picture, renderingOf } from "./example-pictures.ts"
import { escapeHtml } from "./html.ts"

/** Units of the longer side; frames and letters are measured in them. */
const side = 300
const letterHeight = 12

export interface FigureBox {
  /** `[y1, x1, y2, x2]` in pixels of the picture. */
  readonly box: readonly [number, number, number, number]
  readonly classIndex: number
  readonly text: string
  readonly dashed: boolean
}

interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const number = (value: number): string => String(Number(value.toFixed(1)))

const attributes = ({ x, y, width, height }: Rectangle): string =>
  `x="${number(x)}" y="${number(y)}" width="${number(width)}" height="${number(height)}"`

const frame = ({ classIndex, dashed }: FigureBox, rectangle: Rectangle): string => {
  const dashes = dashed ? ' stroke-dasharray="5 4"' : ""
  const stroke = cssColour(classColour(classIndex))
  return `<rect ${attributes(rectangle)} fill="none" stroke="${stroke}"${dashes}/>`
}

/**
 * Above the box, inside it at the picture's upper edge; from its left edge on, up to its right edge where the
 * picture ends soon. A halo in the box's colour stands for a plate: it needs no measuring of the letters.
 */
const name = ({ classIndex, text }: FigureBox, { x, y, width }: Rectangle, pictureWidth: number): string => {
  const colour = classColour(classIndex)
  const [atEnd, baseline] = [x > 0.6 * pictureWidth, y > letterHeight + 2 ? y - 4 : y + letterHeight + 1]
  const place = atEnd ? `x="${number(x + width)}" text-anchor="end"` : `x="${number(x)}"`
  const paint = `fill="${cssColour(inkOn(colour))}" stroke="${cssColour(colour)}"`
  return `<text ${place} y="${number(baseline)}" ${paint}>${escapeHtml(text)}</text>`
}

export interface BoxesFigure {
  readonly picture: Picture
  /** On the page once only; the second figure of the same picture refers to the first. */
  readonly id: string
  readonly isFirst: boolean
  readonly boxes: ReadonlyArray<FigureBox>
  readonly alt: string
}

export const boxesFigure = ({ picture, id, isFirst, boxes, alt }: BoxesFigure): string => {
  const scale = side / Math.max(picture.height, picture.width)
  const [height, width] = [picture.height * scale, picture.width * scale]
  // The first box, the most certain one, comes to lie on top.
  const placed = boxes.toReversed().map((one) => {
    const [y1, x1, y2, x2] = one.box
    // Half of a frame's line lies outside of its box: it stays visible at the edges of the picture.
    const [top, left] = [Math.max(1, y1 * scale), Math.max(1, x1 * scale)]
    const [bottom, right] = [Math.min(height - 1, y2 * scale), Math.min(width - 1, x2 * scale)]
    const size = { width: Math.max(0, right - left), height: Math.max(0, bottom - top) }
    return { one, rectangle: { x: left, y: top, ...size } }
  })
  const photo = isFirst
    ? `<image id="${id}" width="${number(width)}" height="${number(height)}" preserveAspectRatio="none"` +
      `${renderingOf(picture)} href="data:image/png;base64,${picture.pngBase64}"/>`
    : `<use href="#${id}"/>`
  return (
    `<svg class="boxes" role="img" aria-label="${escapeHtml(alt)}" ` +
    `viewBox="0 0 ${number(width)} ${number(height)}">${photo}` +
    placed.map(({ one, rectangle }) => frame(one, rectangle)).join("") +
    placed.map(({ one, rectangle }) => name(one, rectangle, width)).join("") +
    `</svg>`
  )
}
