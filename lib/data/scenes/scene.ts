/**
 * The `scenes` dataset: shapes on textured backgrounds, drawn from a seed, with exact class, box and mask.
 *
 * A scene is a function of (seed, index, size, most shapes) to the bit: its randomness is counter-based and
 * its arithmetic is `+ - * /` on doubles, which every machine rounds alike.
 */
import { RandomStream } from "../../tensor/random.ts"
import type { RawImage } from "../ImageCodec.ts"
import { type Colour, contrastingColour, mix, randomColour, randomPair } from "./colours.ts"
import { type Inside, insideOf, type ShapeName, shapeNames } from "./shapes.ts"
import { randomDirection, randomTexture } from "./textures.ts"

export interface SceneOptions {
  readonly seed: number
  /** Which scene: its first shape has class `index % 8`, so that any range of indices is balanced. */
  readonly index: number
  /** Pixels per side. */
  readonly size: number
  /** One: a single large shape, for classification. More: 1…`maxShapes` smaller ones, for detection. */
  readonly maxShapes: number
}

export interface SceneShape {
  readonly class: ShapeName
  readonly classIndex: number
  /** `[y1, x1, y2, x2]` in pixels around what is visible; y2 and x2 lie behind the last pixel. */
  readonly box: readonly [number, number, number, number]
  readonly visiblePixels: number
}

export interface Scene {
  readonly image: RawImage
  readonly shapes: ReadonlyArray<SceneShape>
  /** `[H, W]`: 0 where the background (or clutter) shows, `i + 1` where `shapes[i]` does. */
  readonly mask: Uint8Array
}

/** Something drawn: a shape, or a piece of clutter. */
interface Figure {
  readonly inside: Inside
  readonly centre: readonly [y: number, x: number]
  readonly radius: number
  readonly direction: readonly [number, number]
  readonly colours: readonly [Colour, Colour]
  readonly maskValue: number
}

interface Canvas {
  readonly size: number
  /** `[H, W, 3]`, 0…255, not rounded yet. */
  readonly pixels: Float64Array
  readonly mask: Uint8Array
}

/** Points per pixel and axis at which a figure is tested: 16 grades of coverage soften its edges. */
const samples = 4

/** How much of a pixel a figure covers, 0…1. */
const coverage = ({ inside, centre, radius, direction }: Figure, y: number, x: number): number => {
  let hits = 0
  for (let i = 0; i < samples; i++) {
    const dy = (y + (i + 0.5) / samples - centre[0]) / radius
    for (let j = 0; j < samples; j++) {
      const dx = (x + (j + 0.5) / samples - centre[1]) / radius
      if (inside(dx * direction[1] + dy * direction[0], dy * direction[1] - dx * direction[0])) hits++
    }
  }
  return hits / (samples * samples)
}

/** Draws over what is there; the mask goes to whoever covers at least half of a pixel. */
const draw = (canvas: Canvas, figure: Figure): void => {
  const { size, pixels, mask } = canvas
  const { centre, radius } = figure
  const from = (middle: number) => Math.max(0, Math.floor(middle - radius))
  const to = (middle: number) => Math.min(size, Math.floor(middle + radius) + 1)
  for (let y = from(centre[0]); y < to(centre[0]); y++) {
    for (let x = from(centre[1]); x < to(centre[1]); x++) {
      const share = coverage(figure, y, x)
      if (share === 0) continue
      const colour = mix(figure.colours[0], figure.colours[1], 0.5 + (y - centre[0]) / (2 * radius))
      const at = y * size + x
      for (let channel = 0; channel < 3; channel++) {
        pixels[3 * at + channel]! += (colour[channel]! - pixels[3 * at + channel]!) * share
      }
      if (share >= 0.5) mask[at] = figure.maskValue
    }
  }
}

const background = (random: RandomStream, size: number, colours: readonly [Colour, Colour]): Canvas => {
  const texture = randomTexture(random, size, size)
  const pixels = new Float64Array(3 * size * size)
  texture.forEach((share, at) => {
    pixels.set(mix(colours[0], colours[1], share), 3 * at)
  })
  return { size, pixels, mask: new Uint8Array(size * size) }
}

interface Place {
  readonly centre: readonly [number, number]
  readonly radius: number
}

/** A place that hides little of the others: the first of twenty, or the one with the most room. */
const findPlace = (random: RandomStream, options: SceneOptions, taken: ReadonlyArray<Place>): Place => {
  const { size, maxShapes } = options
  const [least, most] = maxShapes === 1 ? [0.28, 0.42] : [0.12, 0.24]
  const radius = size * (least + (most - least) * random.uniform())
  const room = ({ centre }: Place) =>
    Math.min(
      1,
      ...taken.map((other) => {
        const [dy, dx] = [centre[0] - other.centre[0], centre[1] - other.centre[1]]
        const reach = 0.8 * (radius + other.radius)
        return (dy * dy + dx * dx) / (reach * reach)
      })
    )
  // A shape may leave the image by a tenth of its radius.
  const coordinate = () => 0.9 * radius + (size - 1.8 * radius) * random.uniform()
  const next = (): Place => ({ centre: [coordinate(), coordinate()], radius })
  let best = next()
  for (let tries = 1; tries < 20 && room(best) < 1; tries++) {
    const other = next()
    if (room(other) > room(best)) best = other
  }
  return best
}

/** Small dots and strokes over everything: mild occlusion. */
const clutter = (random: RandomStream, size: number): ReadonlyArray<Figure> =>
  Array.from({ length: random.below(3) }, () => {
    const colour = randomColour(random)
    return {
      inside: random.below(2) === 0 ? insideOf.circle : insideOf.bar,
      centre: [size * random.uniform(), size * random.uniform()],
      radius: size * (0.03 + 0.05 * random.uniform()),
      direction: randomDirection(random),
      colours: [colour, colour],
      maskValue: 0
    }
  })

/** Adds uniform noise of one strength per image and rounds to 8 bits. */
const develop = (random: RandomStream, { size, pixels }: Canvas): RawImage => {
  const strength = 2 + 10 * random.uniform()
  const rounded = new Uint8Array(pixels.length)
  for (let i = 0; i < pixels.length; i++) {
    const value = Math.floor(pixels[i]! + strength * (2 * random.uniform() - 1) + 0.5)
    rounded[i] = Math.max(0, Math.min(255, value))
  }
  return { pixels: rounded, height: size, width: size, channels: 3 }
}

/** What the mask says of each shape: labels and pixels cannot disagree. */
const visibleShapes = (classes: ReadonlyArray<number>, { size, mask }: Canvas): ReadonlyArray<SceneShape> =>
  classes.map((classIndex, shape) => {
    let [y1, x1, y2, x2, visiblePixels] = [size, size, 0, 0, 0]
    mask.forEach((value, at) => {
      if (value !== shape + 1) return
      const [y, x] = [Math.floor(at / size), at % size]
      ;[y1, x1, y2, x2] = [Math.min(y1, y), Math.min(x1, x), Math.max(y2, y + 1), Math.max(x2, x + 1)]
      visiblePixels++
    })
    return { class: shapeNames[classIndex]!, classIndex, box: [y1, x1, y2, x2], visiblePixels }
  })

export const renderScene = (options: SceneOptions): Scene => {
  const { seed, index, size, maxShapes } = options
  const random = RandomStream.make(seed, "scene", index)
  const ground = randomPair(random)
  const canvas = background(random, size, ground)
  const places: Array<Place> = []
  const classes = Array.from({ length: 1 + random.below(maxShapes) }, (_, shape) =>
    shape === 0 ? index % shapeNames.length : random.below(shapeNames.length)
  )
  classes.forEach((classIndex, shape) => {
    const place = findPlace(random, options, places)
    places.push(place)
    const colour = contrastingColour(random, ground)
    const shade = mix(colour, randomColour(random), 0.3 * random.uniform())
    draw(canvas, {
      ...place,
      inside: insideOf[shapeNames[classIndex]!],
      direction: randomDirection(random),
      colours: [colour, shade],
      maskValue: shape + 1
    })
  })
  for (const figure of clutter(random, size)) draw(canvas, figure)
  const shapes = visibleShapes(classes, canvas)
  return { image: develop(random, canvas), shapes, mask: canvas.mask }
}
