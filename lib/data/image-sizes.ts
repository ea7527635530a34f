/**
 * Progressive resizing: epochs that see images smaller (or larger) than the network's input, which costs
 * less and, as crops look larger in training than in a test, may score better (Touvron et al. 2019, arXiv
 * 1906.06423).
 */
import { Schema } from "effect"
import type { FrameSize } from "./augment/pad-crop-flip.ts"

const Epoch = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Rows = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4096 }))

/**
 * `[from epoch, rows]`, epochs from 0; the columns follow from the input's shape. The input's size before
 * the first.
 */
export const ImageSizes = Schema.Array(Schema.Tuple([Epoch, Rows])).check(
  Schema.makeFilter(
    (sizes: ReadonlyArray<readonly [number, number]>) =>
      (sizes.length > 0 && sizes.every(([epoch], index) => index === 0 || epoch > sizes[index - 1]![0])) ||
      "imageSizes must be pairs of an epoch and a size, the epochs ascending"
  )
)
export type ImageSizes = typeof ImageSizes.Type

const rowsIn = (sizes: ImageSizes, epoch: number): number | undefined =>
  sizes.findLast(([from]) => from <= epoch)?.[1]

const sizeOf = ({ height, width }: FrameSize, rows: number | undefined): FrameSize =>
  rows === undefined
    ? { height, width }
    : { height: rows, width: Math.max(1, Math.round((rows * width) / height)) }

/** What the network is given in an epoch. */
export const sizeInEpoch = (
  sizes: ImageSizes | null | undefined,
  input: FrameSize,
  epoch: number
): FrameSize => sizeOf(input, rowsIn(sizes ?? [], epoch))

/** The largest of all epochs', the input's among them. */
export const largestSize = (sizes: ImageSizes | null | undefined, input: FrameSize): FrameSize =>
  sizeOf(input, Math.max(input.height, ...(sizes ?? []).map(([, rows]) => rows)))

/** What acts in an epoch, for its description; nothing where the size is the input's. */
export const actingSize = (sizes: ImageSizes, epoch: number): { readonly imageSize?: number } => {
  const rows = rowsIn(sizes, epoch)
  return rows === undefined ? {} : { imageSize: rows }
}
