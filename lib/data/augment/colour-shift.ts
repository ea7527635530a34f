/**
 * What training does to colours: random factors on brightness, contrast, saturation and hue, and noise along
 * the colours in which photographs differ most. All of it is linear: three sums a pixel and an offset.
 */
import { Schema } from "effect"
import { withDefault } from "../../models/withDefault.ts"
import type { RandomStream } from "../../tensor/random.ts"

/**
 * - paper: hue, saturation, brightness (He et al. 2018, §2.1, step 4), in this order
 * - gluoncv: brightness, contrast, saturation, as the paper's published code has it
 *
 * Each factor is uniform in 1 ± `strength`. A hue's factor f turns the colour by (f - 1) π around the grey
 * axis of YIQ, as MXNet's `HueJitterAug` does.
 */
export const ColourShift = Schema.Struct({
  kind: Schema.Literals(["paper", "gluoncv"]),
  strength: withDefault(Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1 })), 0.4)
})
export type ColourShift = typeof ColourShift.Type

/** 1 changes nothing. */
export interface ColourShiftFactors {
  readonly hue: number
  readonly saturation: number
  readonly brightness: number
  readonly contrast: number
}

export const noColourShift: ColourShiftFactors = { hue: 1, saturation: 1, brightness: 1, contrast: 1 }

export const randomColourShift = (
  random: RandomStream,
  { kind, strength }: ColourShift
): ColourShiftFactors => {
  const [first, second, third] = [0, 1, 2].map(() => random.between(1 - strength, 1 + strength))
  return kind === "paper"
    ? { hue: first!, saturation: second!, brightness: third!, contrast: 1 }
    : { hue: 1, brightness: first!, contrast: second!, saturation: third! }
}

/** Eigenvalues of the colours of ImageNet's pixels, in units of pixel / 1 (Krizhevsky et al. 2012, §4.1). */
const eigenvalues = [55.46, 4.794, 1.148] as const
/** Rows are red, green and blue, columns the directions of the eigenvalues. */
const eigenvectors = [
  [-0.5675, 0.7192, 0.4009],
  [-0.5808, -0.0045, -0.814],
  [-0.5836, -0.6948, 0.4203]
] as const

/** What is added to red, green and blue of all pixels; each direction's share is normal with `deviation`. */
export const pcaNoise = (random: RandomStream, deviation: number): ReadonlyArray<number> => {
  const shares = eigenvalues.map((value) => deviation * random.gaussian() * value)
  return eigenvectors.map((row) => row.reduce((sum, entry, index) => sum + entry * shares[index]!, 0))
}

/** Shares of red, green and blue in grey (ITU-R BT.601). */
export const greyShares = [0.299, 0.587, 0.114] as const

type Row = readonly [number, number, number]
type Matrix = readonly [Row, Row, Row]

const mapRows = (matrix: Matrix, map: (row: Row) => Row): Matrix => [
  map(matrix[0]),
  map(matrix[1]),
  map(matrix[2])
]

const product = (left: Matrix, [first, second, third]: Matrix): Matrix =>
  mapRows(left, ([a, b, c]) => [
    a * first[0] + b * second[0] + c * third[0],
    a * first[1] + b * second[1] + c * third[1],
    a * first[2] + b * second[2] + c * third[2]
  ])

/** From RGB; the first row is grey. MXNet rounds the last column down, which tints what is grey. */
const toYiq: Matrix = [greyShares, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]]

/** By cofactors. */
const inverse = ([[a, b, c], [d, e, f], [g, h, i]]: Matrix): Matrix => {
  const scale = 1 / (a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g))
  return [
    [scale * (e * i - f * h), scale * (c * h - b * i), scale * (b * f - c * e)],
    [scale * (f * g - d * i), scale * (a * i - c * g), scale * (c * d - a * f)],
    [scale * (d * h - e * g), scale * (b * g - a * h), scale * (a * e - b * d)]
  ]
}

const fromYiq = inverse(toYiq)

const hueMatrix = (factor: number): Matrix => {
  const angle = (factor - 1) * Math.PI
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)]
  const turn: Matrix = [
    [1, 0, 0],
    [0, cosine, -sine],
    [0, sine, cosine]
  ]
  return product(product(fromYiq, turn), toYiq)
}

const identity: Matrix = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1]
]

const saturationMatrix = (factor: number): Matrix => {
  const [r, g, b] = greyShares
  const grey = 1 - factor
  return mapRows(identity, ([own, ofGreen, ofBlue]) => [
    factor * own + grey * r,
    factor * ofGreen + grey * g,
    factor * ofBlue + grey * b
  ])
}

/** `matrix x pixel`, and the same offset for each channel. */
export interface LinearShift {
  readonly matrix: Matrix
  /** The offset, as a multiple of the image's mean grey. */
  readonly ofMeanGrey: number
}

/** Hue before saturation; brightness and contrast are multiples of all channels, so their place is free. */
export const linearShift = ({ brightness, contrast, hue, saturation }: ColourShiftFactors): LinearShift => {
  const gain = brightness * contrast
  const coloured = product(saturationMatrix(saturation), hue === 1 ? identity : hueMatrix(hue))
  return {
    matrix: mapRows(coloured, ([r, g, b]) => [gain * r, gain * g, gain * b]),
    ofMeanGrey: brightness * (1 - contrast)
  }
}
