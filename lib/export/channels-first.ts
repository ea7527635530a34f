/** Channels last, `[N, H, W, C]`, and channels first, `[N, C, H, W]`: arrays in another order of axes. */
import { sizeOf } from "../nn/Weights.ts"

export const toChannelsFirst = [0, 3, 1, 2] as const
export const toChannelsLast = [0, 2, 3, 1] as const

/** An array of floats and the order of its values. */
export interface FloatArray {
  readonly shape: ReadonlyArray<number>
  readonly values: Float32Array
}

/** Axis i of what comes out is axis `order[i]` of what goes in. */
export const transposed = ({ shape, values }: FloatArray, order: ReadonlyArray<number>): FloatArray => {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))
  const extents = order.map((axis) => shape[axis]!)
  const steps = order.map((axis) => strides[axis]!)
  const result = new Float32Array(values.length)
  const place = extents.map(() => 0)
  let from = 0
  for (let to = 0; to < result.length; to++) {
    result[to] = values[from]!
    for (let axis = extents.length - 1; axis >= 0; axis--) {
      from += steps[axis]!
      place[axis]! += 1
      if (place[axis]! < extents[axis]!) break
      from -= steps[axis]! * extents[axis]!
      place[axis] = 0
    }
  }
  return { shape: extents, values: result }
}

/**
 * A filter `[h, w, in, out]` as PyTorch and ONNX have it, `[out, in, h, w]`; a depthwise one
 * `[h, w, in, multiplier]` becomes `[in * multiplier, 1, h, w]`.
 */
export const filterChannelsFirst = (filter: FloatArray, depthwise: boolean): FloatArray => {
  if (!depthwise) return transposed(filter, [3, 2, 0, 1])
  const [height, width, inputs, multiplier] = filter.shape as [number, number, number, number]
  const flat = { shape: [height, width, inputs * multiplier, 1], values: filter.values }
  return transposed(flat, [2, 3, 0, 1])
}
