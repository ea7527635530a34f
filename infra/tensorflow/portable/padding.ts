/** Moving feature maps `[N, H, W, C]` about, as the composed gradients need it. */
import { tf } from "../../../lib/tensor/tf.ts"

/** Rows and columns to add (or, if negative, to take away) before and after. */
export interface Margins {
  readonly top: number
  readonly bottom: number
  readonly left: number
  readonly right: number
}

/** Adds and takes away margins; what is added has the value `fill`. */
export const padOrCrop = (x: tf.Tensor4D, margins: Margins, fill = 0): tf.Tensor4D => {
  const { top, bottom, left, right } = margins
  const grown = { top: Math.max(top, 0), bottom: Math.max(bottom, 0) }
  const widened = { left: Math.max(left, 0), right: Math.max(right, 0) }
  const padded =
    grown.top + grown.bottom + widened.left + widened.right === 0
      ? x
      : tf.pad(
          x,
          [
            [0, 0],
            [grown.top, grown.bottom],
            [widened.left, widened.right],
            [0, 0]
          ],
          fill
        )
  if (Math.min(top, bottom, left, right) >= 0) return padded
  const [batch, height, width, channels] = padded.shape
  return tf.slice(
    padded,
    [0, Math.max(-top, 0), Math.max(-left, 0), 0],
    [
      batch,
      height - Math.max(-top, 0) - Math.max(-bottom, 0),
      width - Math.max(-left, 0) - Math.max(-right, 0),
      channels
    ]
  )
}

/** Puts `rows - 1` rows of zeros after each row and `columns - 1` columns of zeros after each column. */
export const spread = (x: tf.Tensor4D, rows: number, columns: number): tf.Tensor4D => {
  if (rows === 1 && columns === 1) return x
  const [batch, height, width, channels] = x.shape
  const cells = tf.reshape(x, [batch * height, width, 1, channels])
  const spaced = tf.pad(cells, [
    [0, 0],
    [0, 0],
    [0, columns - 1],
    [0, 0]
  ])
  const rowsOfCells = tf.reshape(spaced, [batch * height, 1, width * columns, channels])
  const full = tf.pad(rowsOfCells, [
    [0, 0],
    [0, rows - 1],
    [0, 0],
    [0, 0]
  ])
  return tf.reshape(full, [batch, height * rows, width * columns, channels])
}
