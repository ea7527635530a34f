/** Boxes for property tests. */
import { Schema } from "effect"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** In an image of 100 × 100; whole pixels, so that sums of them are exact. */
export const RandomBox = Schema.Struct({
  y: between(0, 60),
  x: between(0, 60),
  height: between(1, 40),
  width: between(1, 40)
})

/** `[B, 4]` */
export const flatBoxes = (boxes: ReadonlyArray<typeof RandomBox.Type>): Float32Array =>
  Float32Array.from(boxes.flatMap(({ y, x, height, width }) => [y, x, y + height, x + width]))
