/** Which images of a test split are worth looking at: where a model was worst, and some at random. */
import { RandomStream } from "../tensor/random.ts"

export interface ChosenImage {
  readonly choice: "worst" | "random"
  /** Its place in the test split, from 0. */
  readonly image: number
}

export interface ExampleChoice {
  readonly worst: number
  readonly random: number
  readonly seed: number
}

/**
 * From the `quality` `[N]` of all images: the worst in order, equal ones by their place; then others at
 * random, in an order that the seed and N decide, the worst passed over. No image twice.
 */
export const chooseExamples = (
  quality: Float32Array,
  { worst, random, seed }: ExampleChoice
): ReadonlyArray<ChosenImage> => {
  const byQuality = Array.from(quality, (_, image) => image).sort(
    (a, b) => quality[a]! - quality[b]! || a - b
  )
  const worstImages = byQuality.slice(0, worst)
  const taken = new Set(worstImages)
  const shuffled = RandomStream.make(seed, "report examples").permutation(quality.length)
  const others = Array.from(shuffled).filter((image) => !taken.has(image))
  return [
    ...worstImages.map((image) => ({ choice: "worst", image }) as const),
    ...others.slice(0, random).map((image) => ({ choice: "random", image }) as const)
  ]
}
