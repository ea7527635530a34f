/**
 * A random part of an image, which becomes the network's whole input (Szegedy et al. 2015, "Going deeper with
 * convolutions", §6; the paper's step 2). Areas are uniform, aspect ratios log-uniform and what happens when
 * no part fits is torchvision's `RandomResizedCrop`.
 */
import { Schema } from "effect"
import { withDefault } from "../../models/withDefault.ts"
import type { RandomStream } from "../../tensor/random.ts"

/** Least and greatest of what is drawn. */
export const span = (minimum: number, maximum: number) => {
  const bound = Schema.Number.check(Schema.isBetween({ minimum, maximum }))
  return Schema.Tuple([bound, bound]).check(
    Schema.makeFilter(
      ([least, greatest]: readonly [number, number]) =>
        least <= greatest || `must go from the least to the greatest, got [${least}, ${greatest}]`
    )
  )
}

export const ResizedCrop = Schema.Struct({
  /** Of the part, as a fraction of the image's. */
  area: withDefault(span(0.001, 1), [0.08, 1]),
  /** Width over height. */
  aspect: withDefault(span(0.01, 100), [3 / 4, 4 / 3])
})
export type ResizedCrop = typeof ResizedCrop.Type

/** A part of an image, in its pixels. */
export interface Window {
  readonly top: number
  readonly left: number
  readonly rows: number
  readonly columns: number
}

interface Extents {
  readonly height: number
  readonly width: number
}

const triesMax = 10

/** Null where none of the tries fits. */
export const randomPart = (
  random: RandomStream,
  { height, width }: Extents,
  { area, aspect }: ResizedCrop
): Window | null => {
  for (let tries = 0; tries < triesMax; tries++) {
    const pixels = height * width * random.between(area[0], area[1])
    const ratio = Math.exp(random.between(Math.log(aspect[0]), Math.log(aspect[1])))
    const columns = Math.round(Math.sqrt(pixels * ratio))
    const rows = Math.round(Math.sqrt(pixels / ratio))
    if (columns < 1 || columns > width || rows < 1 || rows > height) continue
    return { top: random.below(height - rows + 1), left: random.below(width - columns + 1), rows, columns }
  }
  return null
}

/** Where no part fits, the largest one in the middle that has an allowed aspect. */
export const randomWindow = (random: RandomStream, size: Extents, params: ResizedCrop): Window =>
  randomPart(random, size, params) ?? middleWindow(size, params.aspect)

const middleWindow = ({ height, width }: Extents, [least, greatest]: ResizedCrop["aspect"]): Window => {
  const rows = width / height < least ? Math.round(width / least) : height
  const columns = width / height > greatest ? Math.round(height * greatest) : width
  return { top: Math.floor((height - rows) / 2), left: Math.floor((width - columns) / 2), rows, columns }
}
