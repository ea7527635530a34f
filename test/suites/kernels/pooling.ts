/** Pooling `[N, H, W, C]`, resizing and cropping. */
import { Schema } from "effect"
import { averagePoolDilated, averagePoolHalving } from "../../../lib/nn/average-pool.ts"
import { maxPoolHalving } from "../../../lib/nn/max-pool.ts"
import { repeatTwice, resizeBilinear } from "../../../lib/nn/upsample.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { exactly, type KernelCase, normal, spaced } from "./KernelCase.ts"
import { type KernelGroup, type KernelProperty, property } from "./KernelProperty.ts"

type Shape4 = readonly [number, number, number, number]
type Kind = "maxPool" | "avgPool"

interface Windows {
  readonly input: Shape4
  readonly size: number | [number, number]
  readonly stride: number | [number, number]
  readonly pad: "same" | "valid" | number | tf.backend_util.ExplicitPadding
}

/**
 * The pure JS backend divides the gradient of average pooling by the whole window, also where it hangs over
 * the border.
 */
const pooled = (kind: Kind, name: string, { input, pad, size, stride }: Windows): KernelCase => ({
  name: `${kind}, ${name}`,
  inputs: [kind === "maxPool" ? spaced(input) : normal(...input)],
  apply: (x: tf.Tensor4D) =>
    tf[kind](x, size, stride, pad, pad === "same" || pad === "valid" ? undefined : "floor"),
  gradient: kind === "maxPool" ? "reference" : "slope",
  heavy: true
})

const image = [2, 6, 7, 3] as const

const windows: ReadonlyArray<readonly [string, Windows]> = [
  ["2x2 stride 2", { input: image, size: 2, stride: 2, pad: "valid" }],
  ["2x2 stride 2 same", { input: image, size: 2, stride: 2, pad: "same" }],
  ["3x3 stride 2 same", { input: image, size: 3, stride: 2, pad: "same" }],
  ["3x3 stride 2 valid", { input: image, size: 3, stride: 2, pad: "valid" }],
  ["3x3 stride 1 same", { input: image, size: 3, stride: 1, pad: "same" }],
  ["1x1 stride 2", { input: image, size: 1, stride: 2, pad: "valid" }],
  ["2x3 strides 1 and 2", { input: image, size: [2, 3], stride: [1, 2], pad: "valid" }],
  ["the whole image", { input: [2, 4, 5, 3], size: [4, 5], stride: 1, pad: "valid" }],
  ["batch of 1, one channel", { input: [1, 4, 4, 1], size: 2, stride: 2, pad: "valid" }],
  ["odd channels", { input: [1, 5, 5, 7], size: 3, stride: 2, pad: "same" }],
  ["16 channels", { input: [1, 4, 4, 16], size: 2, stride: 1, pad: "same" }],
  ["one pixel", { input: [2, 1, 1, 3], size: 3, stride: 1, pad: "same" }],
  ["padded by 1", { input: image, size: 3, stride: 2, pad: 1 }],
  [
    "padded on one side",
    {
      input: [1, 6, 6, 2],
      size: 3,
      stride: 2,
      pad: [
        [0, 0],
        [1, 0],
        [0, 1],
        [0, 0]
      ]
    }
  ]
]

const image4 = (name: string, shape: Shape4, apply: (x: tf.Tensor4D) => tf.Tensor): KernelCase => ({
  name,
  inputs: [spaced(shape)],
  apply,
  gradient: "reference"
})

const pools: ReadonlyArray<KernelCase> = [
  ...windows.map(([name, given]) => pooled("maxPool", name, given)),
  ...windows.map(([name, given]) => pooled("avgPool", name, given)),
  image4("maxPoolHalving of even sizes", [2, 6, 8, 2], maxPoolHalving),
  image4("maxPoolHalving of odd sizes", [2, 5, 7, 2], maxPoolHalving),
  image4("maxPoolHalving of an even and an odd size", [1, 5, 8, 3], maxPoolHalving),
  {
    ...image4("averagePoolHalving of an even and an odd size", [1, 5, 6, 2], averagePoolHalving),
    gradient: "slope"
  },
  image4("averagePoolDilated", [2, 5, 4, 2], (x) => averagePoolDilated(x, 2))
]

const bilinear = (
  name: string,
  shape: Shape4,
  size: [number, number],
  alignCorners = false,
  halfPixelCenters = false
): KernelCase => ({
  name: `resizeBilinear ${name}`,
  inputs: [normal(...shape)],
  apply: (x: tf.Tensor4D) => tf.image.resizeBilinear(x, size, alignCorners, halfPixelCenters),
  // The pure JS backend's gradient confuses rows and columns, and knows nothing of half-pixel centres.
  gradient: "slope"
})

/** The pure JS backend has a gradient, and a wrong one. */
const nearest = (
  name: string,
  shape: Shape4,
  size: [number, number],
  alignCorners = false,
  halfPixelCenters = false
): KernelCase => ({
  name: `resizeNearestNeighbor ${name}`,
  inputs: [normal(...shape)],
  apply: (x: tf.Tensor4D) => tf.image.resizeNearestNeighbor(x, size, alignCorners, halfPixelCenters),
  gradient: "slope"
})

const resizes: ReadonlyArray<KernelCase> = [
  bilinear("to more cells", [1, 4, 4, 2], [7, 6]),
  bilinear("to fewer cells", [2, 7, 9, 1], [3, 4]),
  bilinear("aligned at the corners", [2, 3, 4, 2], [7, 5], true),
  bilinear("aligned, to one cell", [1, 3, 4, 2], [1, 1], true),
  bilinear("with half-pixel centres", [2, 3, 4, 2], [13, 9], false, true),
  bilinear("with half-pixel centres to fewer cells", [2, 7, 9, 1], [3, 4], false, true),
  bilinear("of one pixel", [1, 1, 1, 3], [4, 5]),
  bilinear("to the same size", [1, 3, 3, 2], [3, 3]),
  nearest("to more cells", [1, 4, 4, 2], [8, 12]),
  nearest("to fewer cells", [2, 7, 9, 1], [3, 4]),
  nearest("to odd sizes", [1, 3, 4, 2], [7, 5]),
  nearest("aligned at the corners", [1, 3, 4, 2], [7, 5], true),
  nearest("with half-pixel centres", [1, 3, 4, 2], [7, 5], false, true),
  {
    ...image4("resizeBilinear as segmenters do", [2, 3, 4, 2], (x) => resizeBilinear(x, 13, 9)),
    gradient: "slope"
  },
  image4("repeatTwice", [2, 3, 4, 2], (x) => repeatTwice(x, 6, 8)),
  image4("repeatTwice, odd", [2, 3, 4, 2], (x) => repeatTwice(x, 5, 7)),
  { ...image4("flipLeftRight", [2, 3, 4, 2], (x) => tf.image.flipLeftRight(x)), gradient: "slope" }
]

/** Boxes near these, fractions `[y1, x1, y2, x2]`; the second is turned over, the third leaves the image. */
const edges = [0.11, 0.07, 0.83, 0.91, 0.9, 0.8, 0.2, 0.1, -0.23, 0.31, 0.57, 1.19]

const crop = (
  name: string,
  size: [number, number],
  method: "bilinear" | "nearest" = "bilinear",
  outside = 0
): KernelCase => ({
  name: `cropAndResize ${name}`,
  inputs: [normal(2, 6, 7, 3), normal(3, 4), exactly([0, 1, 1], [3], "int32")],
  apply: (images: tf.Tensor4D, shifts: tf.Tensor2D, indices: tf.Tensor1D) => {
    const boxes = tf.add<tf.Tensor2D>(tf.tensor2d(edges, [3, 4]), tf.mul(shifts, 0.01))
    return [tf.image.cropAndResize(images, boxes, indices, size, method, outside), tf.mul(shifts, 2)]
  },
  gradient: "slope"
})

const responses: ReadonlyArray<KernelCase> = [
  image4("localResponseNormalization", [1, 3, 2, 9], (x) => tf.localResponseNormalization(x)),
  image4("localResponseNormalization of few channels", [2, 2, 2, 3], (x) =>
    tf.localResponseNormalization(x, 1, 2, 0.5, 0.75)
  )
]

const crops: ReadonlyArray<KernelCase> = [
  crop("to more cells", [9, 8]),
  crop("to fewer cells", [3, 2]),
  crop("to one cell", [1, 1]),
  crop("with a value outside", [4, 5], "bilinear", -2),
  crop("of nearest cells", [4, 5], "nearest")
]

const small = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 1, maximum }))
const Drawn = Schema.Struct({
  batch: small(2),
  height: small(8),
  width: small(8),
  channels: small(4),
  rows: small(3),
  columns: small(3),
  stride: small(3),
  pad: Schema.Literals(["same", "valid"])
})

const any = (kind: Kind): KernelProperty => ({
  ...property(`${kind} of any windows`, Drawn, (drawn) => {
    const { batch, channels, columns, height, pad, rows, stride, width } = drawn
    return pooled(kind, JSON.stringify(drawn), {
      input: [batch, Math.max(height, rows), Math.max(width, columns), channels],
      size: [rows, columns],
      stride,
      pad
    })
  }),
  heavy: true
})

export const pooling: KernelGroup = {
  cases: [...pools, ...resizes, ...crops, ...responses],
  properties: [any("maxPool"), any("avgPool")]
}
