/**
 * Paddings that TensorFlow has no name for. The fast gradients of its convolutions know no explicit padding
 * (the others take ten times as long in bfloat16), so where its kernels serve, a node of its own pads.
 */
import type { tf } from "../../../lib/tensor/tf.ts"
import { attribute } from "../attributes.ts"
import type { Arithmetic } from "../autocast.ts"
import { DataType, type Output } from "../capi.ts"
import type { GraphBackend, TensorInfo } from "../GraphBackend.ts"

type Margin = readonly [before: number, after: number]

const NONE: Margin = [0, 0]

/** By axis of `[N, H, W, C]`; absent where the padding has a name, or is none. */
const marginsOf = ({ padInfo }: tf.backend_util.Conv2DInfo): ReadonlyArray<Margin> | undefined => {
  const { top, bottom, left, right, type } = padInfo
  const named = type === "SAME" || type === "VALID" || top + bottom + left + right === 0
  return named ? undefined : [NONE, [top, bottom], [left, right], NONE]
}

const extent = ([before, after]: Margin = NONE): number => before + after

const int32 = attribute.type(DataType.int32)

/** `x` with its margins, in the type of the convolution. */
export const padded = (
  backend: GraphBackend,
  { emit, input }: Arithmetic,
  info: tf.backend_util.Conv2DInfo,
  x: TensorInfo
): Output => {
  const margins = marginsOf(info)
  if (margins === undefined) return input(x)
  const amounts = backend.graph.constant(Int32Array.from(margins.flat()), [margins.length, 2], "int32")
  const zero = input(backend.literal([0], [], "float32"))
  return input(emit("PadV2", [input(x), amounts, zero], { Tpaddings: int32 }))
}

/** The gradient of an input, cut out of that of the padded one, which `record` is told the shape of. */
export const withoutMargins = (
  { graph }: GraphBackend,
  { emit, input }: Arithmetic,
  info: tf.backend_util.Conv2DInfo,
  record: (shape: ReadonlyArray<number>) => TensorInfo
): TensorInfo => {
  const margins = marginsOf(info)
  if (margins === undefined) return record(info.inShape)
  const whole = record(info.inShape.map((length, axis) => length + extent(margins[axis])))
  const begin = graph.ints(margins.map(([before]) => before))
  return emit("Slice", [input(whole), begin, graph.ints(info.inShape)], { Index: int32 })
}
