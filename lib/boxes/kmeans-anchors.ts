/**
 * Anchor sizes chosen from the boxes to be found: k-means over (height, width) with the distance 1 - IoU of
 * boxes that share their centre (Redmon & Farhadi, YOLO9000, arXiv 1612.08242 §2 "Dimension Clusters"),
 * started as k-means++ (Arthur & Vassilvitskii 2007).
 */
import type { RandomStream } from "../tensor/random.ts"
import type { AnchorSize } from "./anchors.ts"

export interface KmeansOptions {
  /** The training boxes `[B, 4]`, in pixels of the network's input; those without area are passed over. */
  readonly boxes: Float32Array
  /** How many sizes to find. */
  readonly count: number
  readonly random: RandomStream
  readonly maxIterations?: number
}

export interface ChosenSizes {
  /** `count` of them by rising area; some are equal where the boxes have fewer sizes than that. */
  readonly sizes: ReadonlyArray<AnchorSize>
  /** The IoU of a box with its best size, mean over the boxes, 0…1. */
  readonly meanBestIou: number
}

/** Equal boxes and equal streams give equal sizes. Throws a `RangeError` where no box has an area. */
export const kmeansAnchorSizes = (options: KmeansOptions): ChosenSizes => {
  const { boxes, count, random, maxIterations = 300 } = options
  const samples = sizesOf(boxes)
  if (samples.length === 0) {
    throw new RangeError(
      "anchors cannot be chosen: no training box has an area; give their sizes as params instead"
    )
  }
  let centres = startingCentres(samples, count, random)
  let nearest = nearestCentres(samples, centres)
  let best = { centres, meanBestIou: meanOf(nearest.ious) }
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    centres = meansOf(samples, nearest.indices, centres)
    const moved = nearestCentres(samples, centres)
    const meanBestIou = meanOf(moved.ious)
    // Means are not what minimises this distance: a later iteration may be the worse one.
    if (meanBestIou > best.meanBestIou) best = { centres, meanBestIou }
    if (moved.indices.every((centre, sample) => centre === nearest.indices[sample])) break
    nearest = moved
  }
  return { sizes: byArea(best.centres), meanBestIou: best.meanBestIou }
}

/** The IoU of each box `[B, 4]` with the best of the sizes, mean over the boxes; 0 without boxes. */
export const meanBestIou = (boxes: Float32Array, sizes: ReadonlyArray<AnchorSize>): number => {
  const samples = sizesOf(boxes)
  return samples.length === 0 ? 0 : meanOf(nearestCentres(samples, sizes).ious)
}

const areaOf = ([height, width]: AnchorSize): number => height * width

const byArea = (sizes: ReadonlyArray<AnchorSize>): ReadonlyArray<AnchorSize> =>
  [...sizes].sort((a, b) => areaOf(a) - areaOf(b) || a[0] - b[0])

const meanOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length

const sizesOf = (boxes: Float32Array): ReadonlyArray<AnchorSize> =>
  Array.from({ length: boxes.length / 4 }, (_, index): AnchorSize => {
    const [y1, x1, y2, x2] = boxes.subarray(index * 4, index * 4 + 4)
    return [y2! - y1!, x2! - x1!]
  }).filter(([height, width]) => height > 0 && width > 0)

/** Of two boxes with one centre. */
const centredIou = ([height, width]: AnchorSize, [otherHeight, otherWidth]: AnchorSize): number => {
  const intersection = Math.min(height, otherHeight) * Math.min(width, otherWidth)
  return intersection / (height * width + otherHeight * otherWidth - intersection)
}

/** Each next centre is a sample drawn with the odds of its squared distance from the nearest one so far. */
const startingCentres = (
  samples: ReadonlyArray<AnchorSize>,
  count: number,
  random: RandomStream
): ReadonlyArray<AnchorSize> => {
  const centres = [samples[random.below(samples.length)]!]
  const odds = Float64Array.from(samples, (sample) => (1 - centredIou(sample, centres[0]!)) ** 2)
  while (centres.length < count) {
    const centre = samples[drawn(odds, random)]!
    centres.push(centre)
    samples.forEach((sample, index) => {
      odds[index] = Math.min(odds[index]!, (1 - centredIou(sample, centre)) ** 2)
    })
  }
  return centres
}

/** An index with the odds given; the last one with any where rounding leaves a rest, 0 where none has. */
const drawn = (odds: Float64Array, random: RandomStream): number => {
  let rest = random.uniform() * odds.reduce((sum, value) => sum + value, 0)
  let last = 0
  for (let index = 0; index < odds.length; index++) {
    if (odds[index] === 0) continue
    last = index
    rest -= odds[index]!
    if (rest < 0) break
  }
  return last
}

const nearestCentres = (samples: ReadonlyArray<AnchorSize>, centres: ReadonlyArray<AnchorSize>) => {
  const indices = new Int32Array(samples.length)
  const ious = new Float64Array(samples.length)
  samples.forEach((sample, index) => {
    centres.forEach((centre, candidate) => {
      const iou = centredIou(sample, centre)
      if (iou > ious[index]!) {
        ious[index] = iou
        indices[index] = candidate
      }
    })
  })
  return { indices, ious }
}

/** The mean of each centre's samples; a centre without samples stays. */
const meansOf = (
  samples: ReadonlyArray<AnchorSize>,
  nearest: Int32Array,
  centres: ReadonlyArray<AnchorSize>
): ReadonlyArray<AnchorSize> => {
  const sums = centres.map(() => ({ height: 0, width: 0, count: 0 }))
  samples.forEach(([height, width], index) => {
    const sum = sums[nearest[index]!]!
    sum.height += height
    sum.width += width
    sum.count += 1
  })
  return sums.map(({ height, width, count }, index) =>
    count === 0 ? centres[index]! : [height / count, width / count]
  )
}
