/**
 * Our weights ↔ PyTorch's: the names are equal, kernels lie differently (`[H, W, in, out]` ↔ `[out, in, H,
 * W]`).
 */
import type { Weight, Weights } from "../nn/Weights.ts"

/** What PyTorch's `state_dict` holds, turned into ours; biases, norms and statistics pass as they are. */
export const fromPyTorch = (weights: Weights): Weights =>
  mapWeights(weights, ({ shape, values }) =>
    shape.length === 4
      ? permuted({ shape, values }, [2, 3, 1, 0])
      : shape.length === 2
        ? permuted({ shape, values }, [1, 0])
        : { shape, values }
  )

/** The inverse of {@link fromPyTorch}. */
export const toPyTorch = (weights: Weights): Weights =>
  mapWeights(weights, ({ shape, values }) =>
    shape.length === 4
      ? permuted({ shape, values }, [3, 2, 0, 1])
      : shape.length === 2
        ? permuted({ shape, values }, [1, 0])
        : { shape, values }
  )

const mapWeights = (weights: Weights, change: (weight: Weight) => Weight): Weights =>
  Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, change(weight)]))

/** Axis i of the result is axis `order[i]` of the weight. */
const permuted = ({ shape, values }: Weight, order: ReadonlyArray<number>): Weight => {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((size, extent) => size * extent, 1))
  const shapeOut = order.map((axis) => shape[axis]!)
  const stridesIn = order.map((axis) => strides[axis]!)
  const result = new Float32Array(values.length)
  const index = shapeOut.map(() => 0)
  for (let position = 0; position < result.length; position++) {
    result[position] = values[index.reduce((offset, at, axis) => offset + at * stridesIn[axis]!, 0)]!
    for (let axis = index.length - 1; axis >= 0; axis--) {
      index[axis]! += 1
      if (index[axis]! < shapeOut[axis]!) break
      index[axis] = 0
    }
  }
  return { shape: shapeOut, values: result }
}
