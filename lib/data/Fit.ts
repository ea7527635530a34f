/** How an image of any size comes to that of a network's input, as data. */
import { Schema } from "effect"
import { Resampler } from "./resample.ts"

/**
 * Scaled, its aspect kept, until the shorter side has so many pixels; what the input has no room for is cut
 * off evenly around. So published classifiers are tested: 256 and 224, by torchvision and timm alike.
 */
export const CenterCrop = Schema.Struct({
  kind: Schema.Literal("center-crop"),
  shorterSide: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4096 })),
  resampler: Resampler
})
export type CenterCrop = typeof CenterCrop.Type

/** Or stretched to the size, or scaled with its aspect kept and filled up at the bottom and the right. */
export const Fit = Schema.Union([Schema.Literals(["stretch", "pad"]), CenterCrop])
export type Fit = typeof Fit.Type

/** What an input is described by, and `preprocess` may be told. */
interface Input {
  readonly height: number
  readonly width: number
  readonly channels: number
  readonly fit: Fit | null
  /** Rows and columns that are kept beyond the input; 0 where left out. */
  readonly margin?: number
  readonly normalization:
    | { readonly mean: ReadonlyArray<number>; readonly std: ReadonlyArray<number> }
    | undefined
}

/** Why these cannot go together; `undefined`: they can. */
export const inputFlaw = ({ channels, fit, normalization, ...size }: Input): string | undefined => {
  const { height, margin = 0, width } = size
  const longer = Math.max(height, width) + margin
  const isCut = fit !== null && typeof fit === "object"
  if (isCut && fit.shorterSide < longer) {
    return `fit.shorterSide is ${fit.shorterSide}, less than the ${longer} pixels that are cut out`
  }
  if (margin !== 0 && !isCut) return 'margin needs the fit "center-crop": others keep the whole image'
  if (normalization === undefined) return undefined
  const { mean, std } = normalization
  if (mean.length !== channels || std.length !== channels) {
    return `there must be a mean and a std for each of the ${channels} channels`
  }
  return std.some((value) => !(value > 0)) ? "each std must be above 0" : undefined
}
