/** Networks whose windows have no padding make nothing of images that are smaller than these together. */
import { Effect, Schema } from "effect"
import type { Classifier } from "./Classifier.ts"

/** Of images so small, a map of the network would have no cell left. */
export class ImagesTooSmall extends Schema.TaggedError<ImagesTooSmall>()("ImagesTooSmall", {
  height: Schema.Int,
  width: Schema.Int,
  fewestPixels: Schema.Int,
  /** How many it takes where the auxiliary classifier does not learn, if that is what asks for more. */
  withoutAuxiliary: Schema.NullOr(Schema.Int)
}) {
  override get message() {
    const { fewestPixels, height, width, withoutAuxiliary } = this
    const who = withoutAuxiliary === null ? "this network" : "the auxiliary classifier of this network"
    const otherwise =
      withoutAuxiliary === null
        ? "or choose an architecture whose windows have padding (resnet, mobilenet-v1)"
        : `or train without it (auxiliary: false), which takes ${withoutAuxiliary} pixels or more`
    return (
      `Images of ${height} x ${width} pixels are too small: the windows of ${who} have no padding, so that ` +
      `it takes at least ${fewestPixels} x ${fewestPixels}. Set height and width of the preprocessing to ` +
      `${fewestPixels} or more, ${otherwise}.`
    )
  }
}

/** Fails with `ImagesTooSmall`. `withAuxiliary`: whether an auxiliary classifier, if there is one, learns. */
export const requireImageSize = (
  classifier: Classifier,
  { height, width }: { readonly height: number; readonly width: number },
  withAuxiliary: boolean
): Effect.Effect<void, ImagesTooSmall> => {
  const wanted = classifier.fewestPixels(withAuxiliary)
  if (Math.min(height, width) >= wanted) return Effect.void
  const without = classifier.fewestPixels(false)
  const withoutAuxiliary = without < wanted ? without : null
  return Effect.fail(new ImagesTooSmall({ height, width, fewestPixels: wanted, withoutAuxiliary }))
}
