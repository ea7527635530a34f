/** A mask that follows its image into the frame: by the nearest pixel, since classes have no mean. */
import { ignored } from "../masked-images.ts"
import {
  type Axis,
  coveredPixels,
  horizontalAxis,
  type Placement,
  placeInImage,
  verticalAxis
} from "./placement.ts"

export interface PlacedMaskOptions {
  /** Takes `[H, W]` at `to`. */
  readonly output: Int32Array
  readonly to: number
  /** Holds the mask from `from` on, `[H, W]`. */
  readonly masks: Uint8Array
  readonly from: number
  /** Of the source and of the frame. */
  readonly size: { readonly height: number; readonly width: number }
  readonly placement: Placement
}

/** Beyond the image the frame is ignored. */
export const writePlacedMask = ({ from, masks, output, placement, size, to }: PlacedMaskOptions): void => {
  const rows = nearestPixels(verticalAxis(placement), size.height)
  const columns = nearestPixels(horizontalAxis(placement), size.width)
  for (let row = 0; row < size.height; row++) {
    const target = to + row * size.width
    const source = from + rows[row]! * size.width
    for (let column = 0; column < size.width; column++) {
      const isImage = rows[row]! >= 0 && columns[column]! >= 0
      output[target + column] = isImage ? masks[source + columns[column]!]! : ignored
    }
  }
}

/** For each pixel of the frame the pixel of the image under its centre, or -1. */
const nearestPixels = (axis: Axis, frame: number): Int32Array => {
  const nearest = new Int32Array(frame).fill(-1)
  const { begin, end } = coveredPixels(axis, frame)
  for (let pixel = begin; pixel < end; pixel++) {
    // The place may be the image's very end: mirrored, or by rounding.
    nearest[pixel] = Math.min(Math.max(Math.floor(placeInImage(axis, pixel)), 0), axis.length - 1)
  }
  return nearest
}
