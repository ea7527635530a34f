/** Images of a test split that a person may try a model on: some of every class, in a fixed order. */
import { Effect } from "effect"
import type { LabelledImages } from "../data/batches.ts"
import { type BoxedImages, boxesOfImage } from "../data/boxed-images.ts"
import type { RawImage } from "../data/ImageCodec.ts"
import type { MaskedImages } from "../data/masked-images.ts"
import type { ShardedImages } from "../data/ShardedImages.ts"
import { maskColours } from "./class-colours.ts"
import { imageAt, imagesAt } from "./example-pictures.ts"
import { boxesText, maskShares, sharesText } from "./example-words.ts"

export interface Sample {
  /** Its place in the test split and what is on it: fit for the name of a file. */
  readonly name: string
  /** What is on it, in words. */
  readonly label: string
  readonly image: RawImage
}

/** The first image of every class, then the second of every class, and so on; those of no class (-1) last. */
const takingTurns = (
  classOf: ReadonlyArray<number>,
  numClasses: number,
  count: number
): ReadonlyArray<number> => {
  const seen = new Int32Array(numClasses)
  const ranked = classOf.map((label, index) => {
    return { index, label, rank: label < 0 ? classOf.length : seen[label]!++ }
  })
  return ranked
    .toSorted((a, b) => a.rank - b.rank || a.label - b.label)
    .slice(0, count)
    .map(({ index }) => index)
}

const nameOf = (index: number, name: string): string =>
  `${String(index).padStart(6, "0")}-${name.replace(/[^A-Za-z0-9]+/g, "-")}`

const noClass = "nothing"

export interface SampleOptions<Test> {
  readonly test: Test
  readonly classes: ReadonlyArray<string>
  readonly count: number
}

export const classSamples = Effect.fnUntraced(function* ({
  test,
  classes,
  count
}: SampleOptions<LabelledImages | ShardedImages>) {
  const chosen = takingTurns(Array.from(test.labels), classes.length, count)
  const imageOf = yield* imagesAt(test, chosen)
  return chosen.map((index): Sample => {
    const label = classes[test.labels[index]!]!
    return { name: nameOf(index, label), label, image: imageOf(index) }
  })
})

/** An image stands for the class of its first box. */
export const boxSamples = ({ test, classes, count }: SampleOptions<BoxedImages>): ReadonlyArray<Sample> => {
  const classOf = Array.from(
    test.offsets.subarray(1),
    (_, index) => boxesOfImage(test, index).classes[0] ?? -1
  )
  return takingTurns(classOf, classes.length, count).map((index) => {
    const names = Array.from(boxesOfImage(test, index).classes, (label) => ({ class: classes[label]! }))
    return {
      name: nameOf(index, classes[classOf[index]!] ?? noClass),
      label: boxesText(names),
      image: imageAt(test, index, [test.extents[2 * index]!, test.extents[2 * index + 1]!])
    }
  })
}

/** An image stands for the class with the most pixels, the background left out. */
export const maskSamples = ({ test, classes, count }: SampleOptions<MaskedImages>): ReadonlyArray<Sample> => {
  const size = test.height * test.width
  const maskAt = (index: number) => test.masks.subarray(index * size, (index + 1) * size)
  const isForeground = maskColours(classes).map((colour) => colour !== null)
  const largest = (mask: Uint8Array): number => {
    const counts = new Int32Array(256)
    for (const value of mask) counts[value]!++
    const order = classes
      .map((_, index) => index)
      .filter((index) => isForeground[index] && counts[index]! > 0)
    return order.toSorted((a, b) => counts[b]! - counts[a]!)[0] ?? -1
  }
  const classOf = Array.from({ length: test.masks.length / size }, (_, index) => largest(maskAt(index)))
  return takingTurns(classOf, classes.length, count).map((index) => ({
    name: nameOf(index, classes[classOf[index]!] ?? noClass),
    label: sharesText(maskShares(maskAt(index), classes)),
    image: imageAt(test, index)
  }))
}
