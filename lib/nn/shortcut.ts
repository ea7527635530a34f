/**
 * What carries the input past a residual block's branch. Where the shape stays, the input itself. Where it
 * changes (He et al., CVPR 2016, §3.3 and §4.1): A subsamples and widens with zeros and has no weights, B
 * projects with a 1x1 convolution, whose stride leaves out three quarters of the input. D (He et al. 2018,
 * arXiv 1812.01187, §4.2) averages 2x2 cells before a projection without a stride.
 */
import { tf } from "../tensor/tf.ts"
import { averagePoolDilated, averagePoolHalving } from "./average-pool.ts"
import { type ConvNorm, convNorm, convNormsCost, convNormWeights } from "./conv-norm.ts"
import type { Mode } from "./Mode.ts"
import type { WeightSpec, WeightTensors } from "./Weights.ts"

export type ShortcutKind = "A" | "B" | "D"

export type Shortcut =
  | { readonly kind: "identity" }
  | {
      readonly kind: "zeros"
      readonly inputs: number
      readonly outputs: number
      readonly stride: number
    }
  | { readonly kind: "projection"; readonly projection: ConvNorm; readonly pool: Pool }

/** Before a projection. "dilated" is what stays of halving where the block's stride has become a dilation. */
type Pool =
  | { readonly kind: "none" }
  | { readonly kind: "halving" }
  | { readonly kind: "dilated"; readonly dilation: number }

/** What a residual block does to its input's shape. */
export interface BlockShape {
  readonly name: string
  readonly inputs: number
  readonly outputs: number
  /** Rows (or columns) of the input for each of the output. */
  readonly stride: 1 | 2
  /**
   * Cells from one tap to the next before and after the place of the stride, where strides of the network
   * have become dilations; both are 1 where left out.
   */
  readonly dilations?: readonly [before: number, after: number]
  readonly shortcut: ShortcutKind
}

export const shortcutOf = (shape: BlockShape): Shortcut => {
  const { dilations: [before, after] = [1, 1], inputs, outputs, shortcut, stride } = shape
  const keepsCells = stride === 1 && before === after
  if (keepsCells && inputs === outputs) return { kind: "identity" }
  if (shortcut === "A") return { kind: "zeros", inputs, outputs, stride }
  if (shortcut === "B") return projecting(shape, 0, stride, { kind: "none" })
  if (keepsCells) return projecting(shape, 1, 1, { kind: "none" })
  const pool =
    stride === 2 ? ({ kind: "halving" } as const) : ({ kind: "dilated", dilation: before } as const)
  return projecting(shape, 1, 1, pool)
}

/** The pool of D has a place in PyTorch's numbering, also where there is none to do. */
const projecting = (
  { name, inputs, outputs }: BlockShape,
  place: 0 | 1,
  stride: number,
  pool: Pool
): Shortcut => ({
  kind: "projection",
  pool,
  projection: {
    conv: { name: `${name}.downsample.${place}`, size: 1, inputs, outputs, stride },
    norm: { name: `${name}.downsample.${place + 1}`, channels: outputs }
  }
})

export const shortcutWeights = (shortcut: Shortcut): ReadonlyArray<WeightSpec> =>
  shortcut.kind === "projection" ? convNormWeights(shortcut.projection) : []

/** Multiply-accumulates for one image of `height` x `width` cells; pooling does not count. */
export const shortcutMacs = (shortcut: Shortcut, height: number, width: number): number => {
  if (shortcut.kind !== "projection") return 0
  const pooled = (extent: number) => (shortcut.pool.kind === "halving" ? Math.ceil(extent / 2) : extent)
  return convNormsCost([shortcut.projection], pooled(height), pooled(width)).macs
}

/** `[N, H, W, inputs]` → `[N, ceil(H / stride), ceil(W / stride), outputs]` */
export const shortcut = (
  weights: WeightTensors,
  shortcut: Shortcut,
  x: tf.Tensor4D,
  mode: Mode
): tf.Tensor4D => {
  switch (shortcut.kind) {
    case "identity":
      return x
    case "zeros":
      return subsampleAndWiden(shortcut, x)
    case "projection":
      return convNorm(weights, shortcut.projection, pooled(shortcut.pool, x), mode)
  }
}

const pooled = (pool: Pool, x: tf.Tensor4D): tf.Tensor4D => {
  switch (pool.kind) {
    case "none":
      return x
    case "halving":
      return averagePoolHalving(x)
    case "dilated":
      return averagePoolDilated(x, pool.dilation)
  }
}

/**
 * Every `stride`-th pixel, channels padded with zeros on both sides. Written as a 1x1 convolution with a
 * constant 0/1 kernel: strided slices have no gradient in tfjs.
 */
const subsampleAndWiden = (
  { inputs, outputs, stride }: Extract<Shortcut, { readonly kind: "zeros" }>,
  x: tf.Tensor4D
): tf.Tensor4D => {
  const offset = Math.floor((outputs - inputs) / 2)
  const kernel = new Float32Array(inputs * outputs)
  for (let channel = 0; channel < inputs; channel++) kernel[channel * outputs + channel + offset] = 1
  return tf.conv2d(x, tf.tensor4d(kernel, [1, 1, inputs, outputs]), stride, "valid")
}
