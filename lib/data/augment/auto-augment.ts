/**
 * Augmentation without a search: RandAugment (Cubuk et al. 2019, arXiv 1909.13719) applies some operations of
 * one magnitude, TrivialAugment (Müller and Hutter 2021, arXiv 2103.10158, "wide") one of any. Operations and
 * their ranges are torchvision's, resampled bilinearly, black beyond the image.
 */
import { Schema } from "effect"
import { withDefault } from "../../models/withDefault.ts"
import type { RandomStream } from "../../tensor/random.ts"
import { movedDown, movedRight, shearedAcross, shearedDown, transform, turned } from "./affine.ts"
import type { ImageSize } from "./pad-crop-flip.ts"
import * as bytes from "./pixel-ops.ts"

/** Magnitudes are whole numbers from 0 to here, or what lies between. */
const magnitudeMax = 30

export const AutoAugment = Schema.Union([
  Schema.Struct({
    kind: Schema.Literal("rand-augment"),
    /** How many operations, one after the other; one may come more than once. */
    ops: withDefault(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 14 })), 2),
    /** From 0 to 30. */
    magnitude: withDefault(Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: magnitudeMax })), 9),
    /**
     * Deviation of each operation's own magnitude, which stays from 0 to 30; torchvision's is 0, timm's
     * 0.5.
     */
    std: withDefault(Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: magnitudeMax })), 0)
  }),
  Schema.Struct({ kind: Schema.Literal("trivial-augment") })
])
export type AutoAugment = typeof AutoAugment.Type

/** What an operation does at a magnitude of 0…30, below 0 with the sign turned. */
export interface Operation {
  readonly name: string
  readonly isSigned: boolean
  readonly apply: (options: bytes.BytesOptions, magnitude: number) => void
}

type Apply = Operation["apply"]

const signed = (name: string, apply: Apply): Operation => ({ name, isSigned: true, apply })
const unsigned = (name: string, apply: Apply): Operation => ({ name, isSigned: false, apply })

/** What a magnitude of 30 comes to. */
interface Ranges {
  /** Tangent of the angle. */
  readonly shear: number
  /** In pixels, of a frame of so many; TrivialAugment's is made for large images, and is what it is. */
  readonly move: (pixels: number) => number
  readonly degrees: number
  /** Above or below a factor of 1. */
  readonly enhance: number
  /** Bits that are lost. */
  readonly bits: number
}

const rangesOf: { readonly [K in AutoAugment["kind"]]: Ranges } = {
  "rand-augment": { shear: 0.3, move: (pixels) => (150 / 331) * pixels, degrees: 30, enhance: 0.9, bits: 4 },
  "trivial-augment": { shear: 0.99, move: () => 32, degrees: 135, enhance: 0.99, bits: 6 }
}

/** `most` at the largest magnitude, in float32, as torchvision's tables are. */
const share = (magnitude: number, most: number): number => Math.fround((most * magnitude) / magnitudeMax)

/** In torchvision's order. */
export const operationsOf = (kind: AutoAugment["kind"]): ReadonlyArray<Operation> => {
  const { bits, degrees, enhance, move, shear } = rangesOf[kind]
  const factor = (magnitude: number) => 1 + share(magnitude, enhance)
  const pixels = (magnitude: number, of: number) => Math.trunc(share(magnitude, move(of)))
  return [
    unsigned("identity", ({ source, target }) => target.set(source)),
    signed("shear-x", (image, by) => transform(image, shearedAcross(share(by, shear)))),
    signed("shear-y", (image, by) => transform(image, shearedDown(share(by, shear)))),
    signed("translate-x", (image, by) => transform(image, movedRight(pixels(by, image.size.width)))),
    signed("translate-y", (image, by) => transform(image, movedDown(pixels(by, image.size.height)))),
    signed("rotate", (image, by) => transform(image, turned(share(by, degrees), image.size))),
    signed("brightness", (image, by) => bytes.brightness(image, factor(by))),
    signed("colour", (image, by) => bytes.saturation(image, factor(by))),
    signed("contrast", (image, by) => bytes.contrast(image, factor(by))),
    signed("sharpness", (image, by) => bytes.sharpness(image, factor(by))),
    unsigned("posterize", (image, by) => bytes.posterize(image, 8 - Math.round(share(by, bits)))),
    unsigned("solarize", (image, by) => bytes.solarize(image, 255 - share(by, 255))),
    unsigned("autocontrast", (image) => bytes.autocontrast(image)),
    unsigned("equalize", (image) => bytes.equalize(image))
  ]
}

/** Every operation takes as many numbers of `random`, whichever it is. */
const drawn = (random: RandomStream, params: AutoAugment, operations: ReadonlyArray<Operation>) => {
  const operation = operations[random.below(operations.length)]!
  const isTurned = random.uniform() < 0.5 && operation.isSigned
  const magnitude = drawnMagnitude(random, params)
  return { operation, magnitude: isTurned ? -magnitude : magnitude }
}

const drawnMagnitude = (random: RandomStream, params: AutoAugment): number => {
  if (params.kind === "trivial-augment") return random.below(magnitudeMax + 1)
  const { magnitude, std } = params
  return std === 0 ? magnitude : Math.min(magnitudeMax, Math.max(0, magnitude + std * random.gaussian()))
}

/** Changes an image of bytes in place, by an example's own chance. */
export type AutoAugmenter = (image: Uint8Array, random: RandomStream) => void

export const autoAugmenter = (params: AutoAugment, size: ImageSize): AutoAugmenter => {
  const operations = operationsOf(params.kind)
  const count = params.kind === "rand-augment" ? params.ops : 1
  const target = new Uint8Array(size.height * size.width * size.channels)
  return (image, random) => {
    for (let times = 0; times < count; times++) {
      const { magnitude, operation } = drawn(random, params, operations)
      if (operation.name === "identity") continue
      operation.apply({ source: image, target, size }, magnitude)
      image.set(target)
    }
  }
}
