/**
 * Where an image lies in the frame that a network sees: mirrored within itself, scaled with its aspect kept,
 * and moved. Pixels, boxes and masks follow one placement, so they stay together.
 *
 * Places are continuous: pixel `i` reaches from `i` to `i + 1`, its centre is at `i + 0.5`.
 */
import type { RandomStream } from "../../tensor/random.ts"

export interface Placement {
  /** Extent of the image at the top left of its source; what lies beyond is padding. */
  readonly rows: number
  readonly columns: number
  /** Mirrored left to right. */
  readonly flip: boolean
  /** Mirrored top to bottom. */
  readonly flipVertical: boolean
  /** Frame pixels per image pixel. */
  readonly scale: number
  /** Where the image's top left corner lies in the frame, in pixels; below 0 where the image is cut. */
  readonly top: number
  readonly left: number
}

export interface PlacementParams {
  readonly flip: boolean
  readonly flipVertical: boolean
  /** Least and greatest scale. */
  readonly scale: readonly [number, number]
}

export interface PlacementSizes {
  readonly rows: number
  readonly columns: number
  /** Of the frame. */
  readonly height: number
  readonly width: number
}

/**
 * A placement in a frame: larger than the frame, the image is cut at a random place; smaller, it lies at a
 * random place. At scale 1 it stays in its corner, so without flips nothing changes. As many numbers are
 * drawn whatever the params.
 */
export const randomPlacement = (
  random: RandomStream,
  { columns, height, rows, width }: PlacementSizes,
  params: PlacementParams
): Placement => {
  const scale = random.between(params.scale[0], params.scale[1])
  const [down, right, mirrored, overturned] = [0, 1, 2, 3].map(() => random.uniform())
  return {
    rows,
    columns,
    flip: params.flip && mirrored! < 0.5,
    flipVertical: params.flipVertical && overturned! < 0.5,
    scale,
    top: scale === 1 ? 0 : down! * (height - rows * scale),
    left: scale === 1 ? 0 : right! * (width - columns * scale)
  }
}

/** Whether every pixel of the image lies on one of the frame, in the same corner: nothing to interpolate. */
export const isInPlace = ({ left, scale, top }: Placement): boolean => scale === 1 && top === 0 && left === 0

/** One of the two directions of a placement. */
export interface Axis {
  /** Pixels of the image. */
  readonly length: number
  readonly flip: boolean
  readonly scale: number
  /** Where the image begins in the frame. */
  readonly offset: number
}

export const verticalAxis = ({ flipVertical, rows, scale, top }: Placement): Axis => ({
  length: rows,
  flip: flipVertical,
  scale,
  offset: top
})

export const horizontalAxis = ({ columns, flip, left, scale }: Placement): Axis => ({
  length: columns,
  flip,
  scale,
  offset: left
})

/** The pixels of a frame, from `begin` up to `end`, whose centres lie on the image; there may be none. */
export const coveredPixels = (
  { length, offset, scale }: Axis,
  frame: number
): { readonly begin: number; readonly end: number } => {
  const begin = Math.max(0, Math.ceil(offset - 0.5))
  return { begin, end: Math.max(begin, Math.min(frame, Math.ceil(offset + length * scale - 0.5))) }
}

/** The place in the image, 0 … length, under the centre of a frame's pixel. */
export const placeInImage = ({ flip, length, offset, scale }: Axis, pixel: number): number => {
  const place = (pixel + 0.5 - offset) / scale
  return flip ? length - place : place
}

/** Where an interval of the image comes to lie in the frame. */
export const intervalInFrame = (
  { flip, length, offset, scale }: Axis,
  from: number,
  to: number
): readonly [from: number, to: number] =>
  flip
    ? [offset + (length - to) * scale, offset + (length - from) * scale]
    : [offset + from * scale, offset + to * scale]
