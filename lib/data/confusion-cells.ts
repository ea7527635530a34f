/**
 * The cells of a confusion matrix that are not 0 ↔ their safetensors bytes: of many classes most are 0.
 * `cells` `[n, 3]`, int32: label, prediction, and how many images.
 */
import { Effect } from "effect"
import type { ConfusionCell } from "../metrics/confusion-matrix.ts"
import { decodeSafetensors, encodeSafetensors, SafetensorsError } from "../models/safetensors.ts"

const cellLength = 3

/** Equal cells give equal bytes. */
export const encodeConfusionCells = (cells: ReadonlyArray<ConfusionCell>) =>
  encodeSafetensors({
    arrays: { cells: { shape: [cells.length, cellLength], values: Int32Array.from(cells.flat()) } },
    metadata: {}
  })

/** Fails with `SafetensorsError` where the bytes are broken or hold something else. */
export const decodeConfusionCells = Effect.fn("decodeConfusionCells")(function* (bytes: Uint8Array) {
  const { arrays } = yield* decodeSafetensors(bytes)
  const { shape, values } = arrays.cells ?? { shape: [], values: new Int32Array() }
  if (shape.length !== 2 || shape[1] !== cellLength || !(values instanceof Int32Array)) {
    return yield* new SafetensorsError({
      reason: "it does not hold `cells` [n, 3] of integers, so this is no confusion matrix"
    })
  }
  return Array.from(
    { length: shape[0]! },
    (_, cell): ConfusionCell => [
      values[cellLength * cell]!,
      values[cellLength * cell + 1]!,
      values[cellLength * cell + 2]!
    ]
  )
})
