/**
 * Networks as plain data, so that the very same network runs here (`layerClassifier.ts`) and in PyTorch
 * (`peers/network.py`): nobody has to believe that two files say the same.
 */

export type Layer =
  | ConvNorm
  | Pool
  | { readonly kind: "sequence"; readonly layers: ReadonlyArray<Layer> }
  /** Branches that read the same, their outputs put together along the channels. */
  | { readonly kind: "concat"; readonly branches: ReadonlyArray<Layer> }
  /** `relu(branch(x) + shortcut(x))`, where the branch ends in a `ConvNorm` without ReLU. */
  | { readonly kind: "residual"; readonly branch: ReadonlyArray<ConvNorm>; readonly shortcut?: ConvNorm }

/** A convolution without bias, batch normalisation, and a ReLU if it says so. */
export interface ConvNorm {
  readonly kind: "conv"
  readonly name: string
  readonly size: readonly [height: number, width: number]
  readonly inputs: number
  readonly outputs: number
  readonly stride: number
  /** Zeros on either side, rows and columns. */
  readonly padding: readonly [rows: number, columns: number]
  /** One filter for each channel. */
  readonly depthwise: boolean
  readonly relu: boolean
}

export interface Pool {
  readonly kind: "max" | "average"
  readonly size: number
  readonly stride: number
  /** Cells on each side that never win, and do not count for an average. */
  readonly padding: number
}

export interface Network {
  readonly layers: ReadonlyArray<Layer>
  /** Of the last layer's output, which is averaged over the picture for the linear layer `fc`. */
  readonly channels: number
}

interface ConvOptions {
  readonly size?: number | readonly [height: number, width: number]
  readonly stride?: number
  /** As wide as keeps the size at stride 1, if not said. */
  readonly padding?: number
  readonly depthwise?: true
  readonly relu?: false
}

export const conv = (name: string, inputs: number, outputs: number, options: ConvOptions = {}): ConvNorm => {
  const { depthwise = false, padding, relu = true, size = 1, stride = 1 } = options
  const [height, width] = typeof size === "number" ? [size, size] : size
  return {
    kind: "conv",
    name,
    size: [height, width],
    inputs,
    outputs,
    stride,
    padding: padding === undefined ? [(height - 1) / 2, (width - 1) / 2] : [padding, padding],
    depthwise,
    relu
  }
}

export const sequence = (...layers: ReadonlyArray<Layer>): Layer => ({ kind: "sequence", layers })

export const concat = (...branches: ReadonlyArray<Layer>): Layer => ({ kind: "concat", branches })

export const pool = (kind: Pool["kind"], size: number, stride: number, padding: number): Pool => ({
  kind,
  size,
  stride,
  padding
})
