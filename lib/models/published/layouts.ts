/** PyTorch's layouts, `[out, in, H, W]` and `[out, in]`, and ours: `[H, W, in, out]` and `[in, out]`. */
import type { StoredTensor } from "../StoredTensor.ts"

export interface Layout {
  readonly shape: ReadonlyArray<number>
  /** Of the other side's array, in the order that makes it this side's. */
  readonly axes: ReadonlyArray<number>
}

const axesFromFile: Readonly<Record<number, ReadonlyArray<number>>> = { 2: [1, 0], 4: [2, 3, 1, 0] }

/** The shape that a file has for a weight of ours, and which of its axes become ours. */
export const fileLayout = (ours: ReadonlyArray<number>): Layout => {
  const axes = axesFromFile[ours.length] ?? ours.map((_, axis) => axis)
  return { axes, shape: ours.map((_, axis) => ours[axes.indexOf(axis)]!) }
}

/** The same values under `shape`, where that is another by extents of 1 at the end; else `undefined`. */
export const reshaped = (tensor: StoredTensor, shape: ReadonlyArray<number>): StoredTensor | undefined => {
  if (tensor.shape.join() === shape.join()) return tensor
  if (withoutOnes(tensor.shape).join() !== withoutOnes(shape).join()) return undefined
  return { ...tensor, shape, strides: shape.map((_, axis) => tensor.strides[axis] ?? 0) }
}

const withoutOnes = (shape: ReadonlyArray<number>): ReadonlyArray<number> =>
  shape.slice(0, shape.findLastIndex((extent) => extent !== 1) + 1)
