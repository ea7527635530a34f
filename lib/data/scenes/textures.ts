/**
 * Backgrounds of the `scenes` dataset: each kind of texture says, for every pixel, how far it is from the
 * first colour of a pair to the second. Only `+ - * /`, `floor` and comparisons, whose results are the same
 * everywhere.
 */
import type { RandomStream } from "../../tensor/random.ts"

/** Mixing weights 0…1 of an image, row by row `[H, W]`. */
export type Texture = Float64Array

/** A unit vector of random direction without a sine: the rational points of the circle. */
export const randomDirection = (random: RandomStream): readonly [number, number] => {
  const t = 2 * random.uniform() - 1
  const norm = 1 + t * t
  const turned = random.below(2) === 0
  const [along, across] = [(1 - t * t) / norm, (2 * t) / norm]
  const sign = random.below(2) === 0 ? 1 : -1
  return turned ? [sign * along, across] : [across, sign * along]
}

const clamp = (value: number): number => Math.max(0, Math.min(1, value))
const smooth = (t: number): number => t * t * (3 - 2 * t)
const fraction = (value: number): number => value - Math.floor(value)

/** 0…1…0 once a period, with edges a few pixels wide. */
const wave = (phase: number, sharpness: number): number =>
  clamp((Math.abs(2 * fraction(phase) - 1) - 0.5) * sharpness + 0.5)

const fill = (height: number, width: number, at: (y: number, x: number) => number): Texture => {
  const texture = new Float64Array(height * width)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) texture[y * width + x] = at(y, x)
  return texture
}

type MakeTexture = (random: RandomStream, height: number, width: number) => Texture

/** Random values on a lattice of `cells`², smoothly interpolated. */
const lattice = (random: RandomStream, height: number, width: number, cells: number): Texture => {
  const side = cells + 1
  const values = Float64Array.from({ length: side * side }, () => random.uniform())
  return fill(height, width, (y, x) => {
    const [row, column] = [(y * cells) / height, (x * cells) / width]
    const [top, left] = [Math.floor(row), Math.floor(column)]
    const [down, right] = [smooth(row - top), smooth(column - left)]
    const at = (dy: number, dx: number) => values[(top + dy) * side + left + dx]!
    const upper = at(0, 0) + (at(0, 1) - at(0, 0)) * right
    const lower = at(1, 0) + (at(1, 1) - at(1, 0)) * right
    return upper + (lower - upper) * down
  })
}

const clouds: MakeTexture = (random, height, width) => {
  const cells = 2 + random.below(3)
  const octaves = [cells, 2 * cells, 4 * cells].map((each) => lattice(random, height, width, each))
  return fill(height, width, (y, x) => {
    const at = y * width + x
    return clamp(1.5 * (0.55 * octaves[0]![at]! + 0.3 * octaves[1]![at]! + 0.15 * octaves[2]![at]!) - 0.25)
  })
}

const stripes: MakeTexture = (random, height, width) => {
  const [down, right] = randomDirection(random)
  const period = Math.min(height, width) * (0.14 + 0.22 * random.uniform())
  const [start, sharpness] = [random.uniform(), 1 + 3 * random.uniform()]
  return fill(height, width, (y, x) => wave((y * down + x * right) / period + start, sharpness))
}

const checks: MakeTexture = (random, height, width) => {
  const [down, right] = randomDirection(random)
  const period = Math.min(height, width) * (0.2 + 0.3 * random.uniform())
  const start = random.uniform()
  return fill(height, width, (y, x) => {
    const a = wave((y * down + x * right) / period + start, 4)
    const b = wave((x * down - y * right) / period + start, 4)
    return a * b + (1 - a) * (1 - b)
  })
}

const dots: MakeTexture = (random, height, width) => {
  const [down, right] = randomDirection(random)
  const period = Math.min(height, width) * (0.16 + 0.2 * random.uniform())
  const radius = 0.2 + 0.15 * random.uniform()
  return fill(height, width, (y, x) => {
    const u = fraction((y * down + x * right) / period) - 0.5
    const v = fraction((x * down - y * right) / period) - 0.5
    return clamp(((radius * radius - u * u - v * v) * period) / (2 * radius) + 0.5)
  })
}

const gradient: MakeTexture = (random, height, width) => {
  const [down, right] = randomDirection(random)
  return fill(height, width, (y, x) => clamp(0.5 + (y / height - 0.5) * down + (x / width - 0.5) * right))
}

const kinds: ReadonlyArray<MakeTexture> = [clouds, clouds, stripes, checks, dots, gradient]

export const randomTexture: MakeTexture = (random, height, width) =>
  kinds[random.below(kinds.length)]!(random, height, width)
