/** Colours of the `scenes` dataset, red, green, blue in 0…255. */
import type { RandomStream } from "../../tensor/random.ts"

export type Colour = readonly [red: number, green: number, blue: number]

export const mix = (a: Colour, b: Colour, t: number): Colour => [
  a[0] + (b[0] - a[0]) * t,
  a[1] + (b[1] - a[1]) * t,
  a[2] + (b[2] - a[2]) * t
]

/** Hue 0…6, saturation and value 0…1 (the hexcone model). */
const fromHsv = (hue: number, saturation: number, value: number): Colour => {
  const channel = (offset: number): number => {
    const k = (offset + hue) % 6
    return 255 * value * (1 - saturation * Math.max(0, Math.min(k, 4 - k, 1)))
  }
  return [channel(5), channel(3), channel(1)]
}

export const randomColour = (random: RandomStream): Colour =>
  fromHsv(6 * random.uniform(), 0.1 + 0.75 * random.uniform(), 0.2 + 0.8 * random.uniform())

/** Two colours of a background: neighbours more often than opposites, so that shapes stand out at all. */
export const randomPair = (random: RandomStream): readonly [Colour, Colour] => {
  const first = randomColour(random)
  return [first, mix(first, randomColour(random), 0.1 + 0.3 * random.uniform())]
}

/** Squared distance, green weighing most, roughly as an eye sees it. */
const distance2 = (a: Colour, b: Colour): number => {
  const [red, green, blue] = [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
  return 2 * red * red + 4 * green * green + blue * blue
}

const clearDistance2 = 250 * 250

/** A colour well away from all of `others`: the first of twelve that is, or the farthest of them. */
export const contrastingColour = (random: RandomStream, others: ReadonlyArray<Colour>): Colour => {
  let best: Colour = randomColour(random)
  const worth = (colour: Colour) => Math.min(...others.map((other) => distance2(colour, other)))
  for (let tries = 1; tries < 12 && worth(best) < clearDistance2; tries++) {
    const next = randomColour(random)
    if (worth(next) > worth(best)) best = next
  }
  return best
}
