/** A test at another size than the network's input: a square cut from the middle of what is stored. */
import { Effect, Schema } from "effect"
import type { FrameSize } from "./augment/pad-crop-flip.ts"

/** Images that are smaller than what is to be cut from them. */
export class SquareTooLarge extends Schema.TaggedError<SquareTooLarge>()("SquareTooLarge", {
  imageSize: Schema.Int,
  height: Schema.Int,
  width: Schema.Int
}) {
  override get message() {
    return (
      `Images of ${this.height} × ${this.width} pixels are stored, and imageSize asks for ` +
      `${this.imageSize}. Prepare the dataset with a larger margin, or ask for less.`
    )
  }
}

/** Fails with `SquareTooLarge` where the stored images have no room for it. */
export const squareWithin = (
  imageSize: number,
  { height, width }: FrameSize
): Effect.Effect<FrameSize, SquareTooLarge> =>
  imageSize > Math.min(height, width)
    ? Effect.fail(new SquareTooLarge({ imageSize, height, width }))
    : Effect.succeed({ height: imageSize, width: imageSize })
