/**
 * Pixel accuracy and mean IoU from counts summed over a whole set (MIT's protocol for ADE20K, as GluonCV
 * evaluates). Means over images would give another figure.
 */

/** Rows are labels, columns predictions; `[K, K]` flat, in pixels. Grows with `countPixels`. */
export interface PixelCounts {
  readonly numClasses: number
  readonly matrix: Float64Array
}

export const emptyPixelCounts = (numClasses: number): PixelCounts => ({
  numClasses,
  matrix: new Float64Array(numClasses * numClasses)
})

/** The label of pixels that no class is claimed for. */
export const IGNORED_LABEL = 255

/**
 * Adds the pixels of one mask: labels and predictions of equal length, classes 0…K-1. Where the label is 255
 * or negative, the prediction is left out too.
 */
export const countPixels = (
  counts: PixelCounts,
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>
): void => {
  const { numClasses, matrix } = counts
  if (labels.length !== predictions.length) {
    throw new RangeError(`${labels.length} labels cannot be held against ${predictions.length} predictions`)
  }
  for (let pixel = 0; pixel < labels.length; pixel++) {
    const [label, prediction] = [labels[pixel]!, predictions[pixel]!]
    if (label === IGNORED_LABEL || label < 0) continue
    if (label >= numClasses || !(prediction >= 0 && prediction < numClasses)) {
      throw new RangeError(
        `pixel ${pixel} has label ${label} and prediction ${prediction}: classes are 0 to ${numClasses - 1}`
      )
    }
    matrix[label * numClasses + prediction]! += 1
  }
}

export interface SegmentationClassRow {
  /** 0…1; `null` for a class that is neither in the labels nor predicted anywhere. */
  readonly iou: number | null
  /** Pixels with this label. */
  readonly support: number
}

export interface SegmentationMetrics {
  /** Correct pixels over labelled pixels, 0…1; `null` where none is labelled. */
  readonly pixelAccuracy: number | null
  /**
   * Over the classes that are labelled or predicted somewhere. A class predicted but never there counts as 0;
   * one absent from both is left out (GluonCV counts it as 0: equal wherever every class occurs).
   */
  readonly meanIou: number | null
  readonly perClass: ReadonlyArray<SegmentationClassRow>
  readonly numPixels: number
}

export const segmentationMetrics = ({ numClasses, matrix }: PixelCounts): SegmentationMetrics => {
  const classes = Array.from({ length: numClasses }, (_, index) => index)
  const total = (from: number, step: number) =>
    classes.reduce((sum, index) => sum + matrix[from + index * step]!, 0)
  const hits = classes.map((index) => matrix[index * numClasses + index]!)
  const perClass = classes.map((index): SegmentationClassRow => {
    const support = total(index * numClasses, 1)
    const union = support + total(index, numClasses) - hits[index]!
    return { iou: union === 0 ? null : hits[index]! / union, support }
  })
  const numPixels = perClass.reduce((sum, { support }) => sum + support, 0)
  const known = perClass.map(({ iou }) => iou).filter((iou) => iou !== null)
  return {
    pixelAccuracy: numPixels === 0 ? null : hits.reduce((sum, count) => sum + count, 0) / numPixels,
    meanIou: known.length === 0 ? null : known.reduce((sum, iou) => sum + iou, 0) / known.length,
    perClass,
    numPixels
  }
}
