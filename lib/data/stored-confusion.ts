/** Confusion matrices as evaluations keep them: in the record, or in a blob where that would be too long. */
import { Effect } from "effect"
import { confusionCells } from "../metrics/confusion-matrix.ts"
import { type BlobRef, BlobStore } from "../storage/BlobStore.ts"
import { decodeConfusionCells, encodeConfusionCells } from "./confusion-cells.ts"

type Matrix = ReadonlyArray<ReadonlyArray<number>>

/** Some ten bytes of the record a cell; and a report draws no larger one. */
const matrixClassesMax = 200

/** What an evaluation keeps of a matrix `[label][prediction]`. Fails with `StoreError`. */
export const storedConfusion = Effect.fnUntraced(function* (matrix: Matrix) {
  if (matrix.length <= matrixClassesMax) return matrix
  return yield* (yield* BlobStore).put(encodeConfusionCells(confusionCells(matrix)))
})

/** Its cells, and the matrix where the record has it. Fails with `BlobError`, `SafetensorsError`. */
export const readConfusion = Effect.fnUntraced(function* (confusion: Matrix | BlobRef) {
  if (!("blob" in confusion)) return { matrix: confusion, cells: confusionCells(confusion) }
  const bytes = yield* (yield* BlobStore).get(confusion)
  return { matrix: null, cells: yield* decodeConfusionCells(bytes) }
})
