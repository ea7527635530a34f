/** Convolutions `[N, H, W, C]`. */
import { Schema } from "effect"
import { tf } from "../../../lib/tensor/tf.ts"
import { type KernelCase, normal } from "./KernelCase.ts"
import { type KernelGroup, type KernelProperty, property } from "./KernelProperty.ts"

type Pair = readonly [number, number]
type Pad = "same" | "valid" | number | readonly [Pair, Pair]

interface Geometry {
  readonly input: readonly [batch: number, height: number, width: number, channels: number]
  readonly filter: Pair
  /** Channels out; for depthwise convolutions, for each channel in. */
  readonly outputs: number
  readonly strides: Pair
  readonly pad: Pad
  readonly dilations?: Pair
}

/** tfjs wants the axes of batch and channels too. */
const padOf = (pad: Pad): "same" | "valid" | number | tf.backend_util.ExplicitPadding =>
  typeof pad === "object" ? [[0, 0], [...pad[0]], [...pad[1]], [0, 0]] : pad

/** The filter with zeros between its taps: what a dilated one is, to backends without dilations. */
const inflated = (filter: tf.Tensor4D, [down, across]: Pair): tf.Tensor4D => {
  const [rows, columns, inputs, outputs] = filter.shape
  const spread = (x: tf.Tensor, length: number, width: number, by: number): tf.Tensor => {
    const spaced = tf.pad(tf.reshape(x, [-1, length, 1, width]), [
      [0, 0],
      [0, 0],
      [0, by - 1],
      [0, 0]
    ])
    const flat = tf.reshape(spaced, [-1, length * by, width])
    return tf.slice(flat, [0, 0, 0], [-1, (length - 1) * by + 1, -1])
  }
  const tall = spread(filter, rows, columns * inputs * outputs, down)
  const height = (rows - 1) * down + 1
  const full = spread(
    tf.reshape(tall, [height, columns, inputs * outputs]),
    columns,
    inputs * outputs,
    across
  )
  return tf.reshape(full, [height, (columns - 1) * across + 1, inputs, outputs])
}

const isDilated = ({ dilations: [down, across] = [1, 1] }: Geometry): boolean => down > 1 || across > 1

type Kind = "conv2d" | "depthwiseConv2d"

const applyOf =
  (kind: Kind, { dilations = [1, 1], pad, strides }: Geometry, inflate: boolean) =>
  (x: tf.Tensor4D, filter: tf.Tensor4D): tf.Tensor => {
    const [taps, between] = inflate ? [inflated(filter, dilations), [1, 1] as Pair] : [filter, dilations]
    return tf[kind](x, taps, [...strides], padOf(pad), "NHWC", [...between])
  }

const convolution = (kind: Kind, name: string, geometry: Geometry): KernelCase => {
  const { filter, input, outputs } = geometry
  return {
    name: `${kind}, ${name}`,
    inputs: [normal(...input), normal(...filter, input[3], outputs)],
    apply: applyOf(kind, geometry, false),
    reference: applyOf(kind, geometry, isDilated(geometry)),
    gradient: "reference",
    heavy: true
  }
}

const image = [2, 6, 7, 3] as const
const square = (side: number): Pair => [side, side]

const both: ReadonlyArray<readonly [string, Geometry]> = [
  ["3x3 same", { input: image, filter: [3, 3], outputs: 4, strides: [1, 1], pad: "same" }],
  ["3x3 valid", { input: image, filter: [3, 3], outputs: 2, strides: [1, 1], pad: "valid" }],
  ["3x3 stride 2 same", { input: image, filter: [3, 3], outputs: 4, strides: [2, 2], pad: "same" }],
  ["3x2 stride 2 valid", { input: image, filter: [3, 2], outputs: 2, strides: [2, 2], pad: "valid" }],
  [
    "a margin no window reaches",
    { input: [1, 8, 8, 2], filter: [3, 3], outputs: 2, strides: [2, 2], pad: "valid" }
  ],
  ["1x1", { input: image, filter: [1, 1], outputs: 5, strides: [1, 1], pad: "same" }],
  ["1x1 stride 2", { input: image, filter: [1, 1], outputs: 5, strides: [2, 2], pad: "valid" }],
  ["5x5 padded by 2", { input: image, filter: [5, 5], outputs: 2, strides: [1, 1], pad: 2 }],
  ["3x3 stride 2 padded by 1", { input: [1, 8, 8, 2], filter: [3, 3], outputs: 3, strides: [2, 2], pad: 1 }],
  [
    "padded on one side",
    {
      input: image,
      filter: [3, 3],
      outputs: 2,
      strides: [2, 2],
      pad: [
        [1, 0],
        [0, 1]
      ]
    }
  ],
  [
    "7x7 stride 2, larger than its input",
    { input: [1, 5, 6, 1], filter: [7, 7], outputs: 2, strides: [2, 2], pad: "same" }
  ],
  [
    "a filter smaller than its stride, same",
    { input: [1, 4, 6, 2], filter: [2, 1], outputs: 2, strides: [3, 3], pad: "same" }
  ],
  ["1x3", { input: image, filter: [1, 3], outputs: 2, strides: [1, 1], pad: "same" }],
  ["3x1", { input: image, filter: [3, 1], outputs: 2, strides: [1, 1], pad: "same" }],
  [
    "the filter as large as the input",
    { input: [2, 4, 4, 3], filter: [4, 4], outputs: 2, strides: [1, 1], pad: "valid" }
  ],
  ["batch of 1", { input: [1, 5, 5, 2], filter: [3, 3], outputs: 3, strides: [1, 1], pad: "same" }],
  ["one channel", { input: [2, 5, 5, 1], filter: [3, 3], outputs: 1, strides: [1, 1], pad: "same" }],
  ["odd channels", { input: [2, 5, 5, 7], filter: [3, 3], outputs: 3, strides: [1, 1], pad: "same" }],
  ["16 channels", { input: [2, 5, 5, 16], filter: [3, 3], outputs: 2, strides: [1, 1], pad: "same" }],
  ["one pixel", { input: [3, 1, 1, 4], filter: [3, 3], outputs: 2, strides: [1, 1], pad: "same" }],
  ["even 2x2 same", { input: [1, 5, 4, 2], filter: [2, 2], outputs: 2, strides: [1, 1], pad: "same" }],
  ["4x4 stride 4", { input: [1, 8, 8, 3], filter: [4, 4], outputs: 2, strides: [4, 4], pad: "valid" }],
  [
    "dilated by 2 same",
    { input: image, filter: [3, 3], outputs: 2, strides: [1, 1], pad: "same", dilations: square(2) }
  ],
  [
    "dilated by 2 valid",
    { input: [1, 7, 8, 2], filter: [3, 3], outputs: 2, strides: [1, 1], pad: "valid", dilations: square(2) }
  ],
  [
    "dilated by 3 same",
    { input: [1, 9, 8, 2], filter: [3, 3], outputs: 3, strides: [1, 1], pad: "same", dilations: square(3) }
  ],
  [
    "dilated 2x1",
    { input: image, filter: [3, 2], outputs: 2, strides: [1, 1], pad: "same", dilations: [2, 1] }
  ],
  [
    "dilated by 2, padded by 2",
    { input: image, filter: [3, 3], outputs: 2, strides: [1, 1], pad: 2, dilations: square(2) }
  ],
  [
    "dilated by 2, 1x1",
    { input: image, filter: [1, 1], outputs: 2, strides: [1, 1], pad: "same", dilations: square(2) }
  ],
  [
    "dilated by 2, padded on one side",
    {
      input: image,
      filter: [3, 3],
      outputs: 2,
      strides: [1, 1],
      pad: [
        [3, 1],
        [0, 4]
      ],
      dilations: square(2)
    }
  ]
]

/** tfjs wants one stride for both directions of depthwise convolutions. */
const denseOnly: ReadonlyArray<readonly [string, Geometry]> = [
  ["strides 2 and 1", { input: image, filter: [3, 3], outputs: 2, strides: [2, 1], pad: "same" }],
  [
    "strides 1 and 3, padded on one side",
    {
      input: image,
      filter: [3, 3],
      outputs: 2,
      strides: [1, 3],
      pad: [
        [1, 0],
        [0, 1]
      ]
    }
  ],
  ["64 channels to 32", { input: [1, 4, 4, 64], filter: [3, 3], outputs: 32, strides: [1, 1], pad: "same" }],
  ["32 channels 1x1", { input: [2, 4, 4, 32], filter: [1, 1], outputs: 32, strides: [1, 1], pad: "valid" }]
]

const transposed = (
  name: string,
  from: readonly [number, number, number, number],
  filter: readonly [number, number, number, number],
  to: readonly [number, number, number, number],
  strides: number,
  pad: "same" | "valid" | number
): KernelCase => ({
  name: `conv2dTranspose, ${name}`,
  inputs: [normal(...from), normal(...filter)],
  apply: (x: tf.Tensor4D, taps: tf.Tensor4D) => tf.conv2dTranspose(x, taps, [...to], strides, pad),
  gradient: "reference",
  heavy: true
})

const transposes: ReadonlyArray<KernelCase> = [
  transposed("stride 1 same", [1, 4, 5, 3], [3, 3, 2, 3], [1, 4, 5, 2], 1, "same"),
  transposed("stride 2 same", [2, 3, 3, 3], [3, 3, 2, 3], [2, 6, 6, 2], 2, "same"),
  transposed("stride 2 same, odd", [1, 3, 3, 3], [3, 3, 2, 3], [1, 5, 5, 2], 2, "same"),
  transposed("stride 2 valid", [1, 3, 3, 2], [2, 2, 3, 2], [1, 6, 6, 3], 2, "valid"),
  transposed("stride 2 padded by 1", [1, 3, 3, 2], [4, 4, 3, 2], [1, 6, 6, 3], 2, 1)
]

type Activation = "linear" | "relu" | "relu6" | "elu" | "sigmoid" | "leakyrelu" | "prelu"

/** Fused only while no gradient is asked for, but for the plain one. */
const fused = (kind: "conv2d" | "depthwiseConv2d", activation: Activation): KernelCase => ({
  name: `fused ${kind}, ${activation}`,
  inputs: [normal(...image), normal(3, 3, 3, 2), normal(kind === "conv2d" ? 2 : 6)],
  apply: (x: tf.Tensor4D, filter: tf.Tensor4D, bias: tf.Tensor1D) =>
    tf.fused[kind]({
      x,
      filter,
      bias,
      strides: 1,
      pad: "same",
      activation,
      leakyreluAlpha: 0.3,
      ...(activation === "prelu" && { preluActivationWeights: bias })
    }),
  gradient: activation === "linear" && kind === "conv2d" ? "reference" : "none",
  heavy: true
})

const activations = ["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu", "prelu"] as const

const fusions: ReadonlyArray<KernelCase> = [
  ...activations.map((activation) => fused("conv2d", activation)),
  ...activations.map((activation) => fused("depthwiseConv2d", activation))
]

const small = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 1, maximum }))
const Drawn = Schema.Struct({
  batch: small(2),
  height: small(9),
  width: small(9),
  channels: small(5),
  rows: small(4),
  columns: small(4),
  outputs: small(4),
  stride: small(3),
  dilation: small(3),
  pad: Schema.Literals(["same", "valid", "explicit"]),
  before: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 })),
  after: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 }))
})

/** Strides or dilations: tfjs refuses both. */
const geometryOf = (drawn: typeof Drawn.Type): Geometry => {
  const { after, batch, before, channels, columns, height, outputs, rows, width } = drawn
  const dilation = drawn.stride > 1 ? 1 : drawn.dilation
  const reach = (taps: number): number => (taps - 1) * dilation + 1
  // Room for one window at least, whatever the padding.
  const tall = Math.max(height, reach(rows))
  const wide = Math.max(width, reach(columns))
  const side = (taps: number): Pair => [Math.min(before, reach(taps) - 1), Math.min(after, reach(taps) - 1)]
  return {
    input: [batch, tall, wide, channels],
    filter: [rows, columns],
    outputs,
    strides: square(drawn.stride),
    dilations: square(dilation),
    pad: drawn.pad === "explicit" ? [side(rows), side(columns)] : drawn.pad
  }
}

const any = (kind: Kind): KernelProperty => ({
  ...property(`${kind} of any geometry`, Drawn, (drawn) =>
    convolution(kind, JSON.stringify(drawn), geometryOf(drawn))
  ),
  heavy: true
})

export const convolutions: KernelGroup = {
  cases: [
    ...both.map(([name, geometry]) => convolution("conv2d", name, geometry)),
    ...denseOnly.map(([name, geometry]) => convolution("conv2d", name, geometry)),
    ...both.map(([name, geometry]) =>
      convolution("depthwiseConv2d", name, { ...geometry, outputs: Math.min(geometry.outputs, 3) })
    ),
    ...transposes,
    ...fusions
  ],
  properties: [any("conv2d"), any("depthwiseConv2d")]
}
