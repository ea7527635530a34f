/**
 * Dilated convolutions where TensorFlow has none on CPUs: depthwise ones (it fails, or is wrong without a
 * word), and others with explicit padding. A dilated filter is one with zeros between its taps; a padding can
 * be carried out beforehand.
 */
import { tf } from "../../../lib/tensor/tf.ts"
import type { TensorInfo } from "../GraphBackend.ts"
import { spread } from "../portable/padding.ts"

type Shape4 = [number, number, number, number]
type Pair = readonly [number, number]

interface DilatedAttrs {
  readonly dilations?: number | [number, number]
  readonly pad: "valid" | "same" | number | tf.backend_util.ExplicitPadding
  readonly strides: number | [number, number]
  readonly inputShape?: Shape4
  readonly filterShape?: Shape4
}

type Inputs = { readonly [name: string]: TensorInfo }

const dilationsOf = ({ dilations = 1 }: DilatedAttrs): Pair =>
  typeof dilations === "number" ? [dilations, dilations] : dilations

const isDilated = (attrs: DilatedAttrs): boolean => dilationsOf(attrs).some((dilation) => dilation > 1)

const run = (name: string, inputs: Inputs, attrs: object): tf.Tensor4D =>
  tf.engine().runKernel(name, inputs as never, attrs as never) as tf.Tensor4D

const inflatedShape = ([rows, columns, inputs, outputs]: Shape4, [down, across]: Pair): Shape4 => [
  (rows - 1) * down + 1,
  (columns - 1) * across + 1,
  inputs,
  outputs
]

/** `[rows, columns, in, out]` with zeros between the taps. */
const inflated = (filter: tf.Tensor4D, dilations: Pair): tf.Tensor4D => {
  const [rows, columns, inputs, outputs] = filter.shape
  const spaced = spread(tf.reshape(filter, [1, rows, columns, inputs * outputs]), ...dilations)
  const shape = inflatedShape(filter.shape, dilations)
  const kept = tf.slice(spaced, [0, 0, 0, 0], [1, shape[0], shape[1], inputs * outputs])
  return tf.reshape(kept, shape)
}

/** For depthwise convolutions: computes with the inflated filter; of its gradient, the taps count. */
const withInflatedFilter = (name: string, inputs: Inputs, attrs: DilatedAttrs): TensorInfo => {
  const dilations = dilationsOf(attrs)
  const plain = { ...attrs, dilations: [1, 1] }
  if (inputs.filter !== undefined) {
    return run(name, { ...inputs, filter: inflated(inputs.filter as tf.Tensor4D, dilations) }, plain)
  }
  const shape = inflatedShape(attrs.filterShape as Shape4, dilations)
  const gradient = run(name, inputs, { ...plain, filterShape: shape })
  return tf.stridedSlice(gradient, [0, 0, 0, 0], shape, [...dilations, 1, 1])
}

type Margins = [[number, number], [number, number], [number, number], [number, number]]

const marginsOf = ({ pad }: DilatedAttrs): Margins => {
  if (typeof pad !== "number") return pad as Margins
  return [
    [0, 0],
    [pad, pad],
    [pad, pad],
    [0, 0]
  ]
}

/** For other convolutions: pads the input beforehand; of its gradient, what lies inside counts. */
const withPaddedInput = (name: string, inputs: Inputs, attrs: DilatedAttrs): TensorInfo => {
  const margins = marginsOf(attrs)
  const plain = { ...attrs, pad: "valid" }
  if (inputs.x !== undefined)
    return run(name, { ...inputs, x: tf.pad(inputs.x as tf.Tensor4D, margins) }, plain)
  const shape = attrs.inputShape as Shape4
  const grown = shape.map((length, axis) => length + margins[axis]![0] + margins[axis]![1])
  const gradient = run(name, inputs, { ...plain, inputShape: grown })
  return tf.slice(gradient, [0, margins[1][0], margins[2][0], 0], shape)
}

const hasNamedPadding = ({ pad }: DilatedAttrs): boolean => pad === "same" || pad === "valid"

/** Whether TensorFlow cannot do it, on CPUs. */
export const isBeyond = (attrs: DilatedAttrs, depthwise: boolean): boolean =>
  isDilated(attrs) && (depthwise || !hasNamedPadding(attrs))

/** The same pass, by name, with inputs and attributes that TensorFlow can do. */
export const rewritten = (
  name: string,
  inputs: Inputs,
  attrs: DilatedAttrs,
  depthwise: boolean
): TensorInfo => (depthwise ? withInflatedFilter : withPaddedInput)(name, inputs, attrs)
