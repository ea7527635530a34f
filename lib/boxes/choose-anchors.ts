/** The sizes of a detector's anchors, level by level, as its params ask for them. */
import type { RandomStream } from "../tensor/random.ts"
import { type AnchorSize, retinaAnchorSizes } from "./anchors.ts"
import { kmeansAnchorSizes, meanBestIou } from "./kmeans-anchors.ts"

export interface AnchorChoiceOptions {
  readonly choice: { readonly kind: "retina" } | { readonly kind: "kmeans"; readonly perLevel: number }
  /** Of the pyramid's levels, rising. */
  readonly strides: ReadonlyArray<number>
  /** The training boxes `[B, 4]`. */
  readonly boxes: Float32Array
  readonly random: RandomStream
}

export interface ChosenAnchors {
  /** As many on each level: the levels share one head. */
  readonly sizes: ReadonlyArray<ReadonlyArray<AnchorSize>>
  /** The IoU of a training box with its best size, mean over the boxes, 0…1. */
  readonly meanBestIou: number
}

/** Throws a `RangeError` where sizes are to be chosen from boxes and no box has an area. */
export const chooseAnchors = ({ boxes, choice, random, strides }: AnchorChoiceOptions): ChosenAnchors => {
  if (choice.kind === "retina") {
    const sizes = strides.map(retinaAnchorSizes)
    return { sizes, meanBestIou: meanBestIou(boxes, sizes.flat()) }
  }
  const { perLevel } = choice
  const chosen = kmeansAnchorSizes({ boxes, count: perLevel * strides.length, random })
  return {
    ...chosen,
    sizes: strides.map((_, level) => chosen.sizes.slice(level * perLevel, (level + 1) * perLevel))
  }
}
