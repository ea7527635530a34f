/** How far an exported model is from the one it was made of: logits of both on images of a seed. */
import { RandomStream } from "../tensor/random.ts"

export const numCompared = 16
export const comparisonSeed = 0

/** Largest difference that rounding explains, in units of the largest logit. */
export const relativeTolerance = 1e-4

/** `[N, H, W, C]`, 0…255: noise around a colour of each image's own. */
export const comparisonImages = (
  size: readonly [height: number, width: number, channels: number]
): Uint8Array => {
  const [height, width, channels] = size
  const length = height * width * channels
  const images = new Uint8Array(numCompared * length)
  for (let image = 0; image < numCompared; image++) {
    const random = RandomStream.make(comparisonSeed, "comparison", image)
    const colour = Array.from({ length: channels }, () => random.between(0, 256))
    for (let at = 0; at < length; at++) {
      const value = colour[at % channels]! + random.between(-96, 96)
      images[image * length + at] = Math.min(255, Math.max(0, Math.floor(value)))
    }
  }
  return images
}

export interface Difference {
  /** Of any two logits. */
  readonly maxDifference: number
  /** The same in units of the largest logit of the reference. */
  readonly relativeDifference: number
  /** Images whose most probable class is the same. */
  readonly sameClass: number
}

/** Both `[N, K]`; NaN wherever a logit is not a number, so that it is within no tolerance. */
export const differenceOf = (
  reference: ArrayLike<number>,
  logits: ArrayLike<number>,
  numClasses: number
): Difference => {
  let [largest, scale] = [logits.length === reference.length ? 0 : Number.NaN, 0]
  for (let at = 0; at < reference.length; at++) {
    const apart = Math.abs(logits[at]! - reference[at]!)
    largest = Number.isNaN(apart) || apart > largest ? apart : largest
    scale = Math.max(scale, Math.abs(reference[at]!))
    if (Number.isNaN(largest)) break
  }
  const images = Array.from({ length: reference.length / numClasses }, (_, image) => image * numClasses)
  return {
    maxDifference: largest,
    relativeDifference: largest / scale,
    sameClass: images.filter(
      (start) => largestOf(reference, start, numClasses) === largestOf(logits, start, numClasses)
    ).length
  }
}

const largestOf = (values: ArrayLike<number>, start: number, count: number): number => {
  let best = 0
  for (let at = 1; at < count; at++) if (values[start + at]! > values[start + best]!) best = at
  return best
}
