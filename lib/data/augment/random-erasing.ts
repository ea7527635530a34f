/** Random erasing (Zhong et al. 2017, arXiv 1708.04896): a rectangle of the network's input holds nothing. */
import { Schema } from "effect"
import { withDefault } from "../../models/withDefault.ts"
import type { RandomStream } from "../../tensor/random.ts"
import type { FrameSize } from "./pad-crop-flip.ts"
import { randomPart, span } from "./random-resized-crop.ts"

export const RandomErasing = Schema.Struct({
  /** Of an image. */
  probability: withDefault(Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1 })), 0.5),
  /** Of the rectangle, as a fraction of the input's. */
  area: withDefault(span(0.001, 1), [0.02, 1 / 3]),
  /** Height over width. */
  aspect: withDefault(span(0.01, 100), [0.3, 1 / 0.3]),
  /** After normalisation: 0, which is the mean colour, or noise of mean 0 and deviation 1 for every value. */
  fill: withDefault(Schema.Literals(["constant", "pixel"]), "constant")
})
export type RandomErasing = typeof RandomErasing.Type

/** `image` is `[H, W, C]`, normalised. It stays by chance, or where no rectangle of the drawn shapes fits. */
export const eraseRandomly = (
  image: Float32Array,
  size: FrameSize & { readonly channels: number },
  random: RandomStream,
  params: RandomErasing
): void => {
  const { area, aspect, fill, probability } = params
  if (random.uniform() >= probability) return
  // An aspect here is a height over a width.
  const window = randomPart(random, size, { area, aspect: [1 / aspect[1], 1 / aspect[0]] })
  if (window === null) return
  const values = window.columns * size.channels
  for (let row = 0; row < window.rows; row++) {
    const from = ((window.top + row) * size.width + window.left) * size.channels
    for (let at = from; at < from + values; at++) {
      image[at] = fill === "constant" ? 0 : random.gaussian()
    }
  }
}
