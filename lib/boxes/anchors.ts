/**
 * Anchors: boxes of fixed sizes around the centre of every feature cell, from which a detector measures the
 * boxes it finds (Ren et al., Faster R-CNN, arXiv 1506.01497 §3.1.1; on a pyramid: Lin et al., RetinaNet,
 * arXiv 1708.02002 §4).
 */

/** In pixels of the network's input. */
export type AnchorSize = readonly [height: number, width: number]

export interface AnchorLevel {
  /** Input pixels per feature cell. */
  readonly stride: number
  readonly sizes: ReadonlyArray<AnchorSize>
}

export interface AnchorParams {
  readonly levels: ReadonlyArray<AnchorLevel>
}

/** A level whose feature map has so many rows and columns of cells. */
export interface AnchorGrid extends AnchorLevel {
  readonly rows: number
  readonly columns: number
}

export interface AnchorOptions {
  /** Of the network's input, in pixels. */
  readonly height: number
  readonly width: number
  readonly levels: ReadonlyArray<AnchorGrid>
}

/** How many there are on all levels together. */
export const countAnchors = (levels: ReadonlyArray<AnchorGrid>): number =>
  levels.reduce((sum, { rows, columns, sizes }) => sum + rows * columns * sizes.length, 0)

/**
 * `[A, 4]`, ordered by level, then row, column and size: as a head's output `[N, rows, columns, sizes × …]`
 * lies in memory. Anchors may reach beyond the image.
 */
export const makeAnchors = ({ height, width, levels }: AnchorOptions): Float32Array => {
  for (const level of levels) {
    checkGrid("rows", level.rows, level.stride, height)
    checkGrid("columns", level.columns, level.stride, width)
  }
  const anchors = new Float32Array(countAnchors(levels) * 4)
  let next = 0
  for (const { stride, rows, columns, sizes } of levels) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (const size of sizes) {
          anchors.set(boxAround((row + 0.5) * stride, (column + 0.5) * stride, size), next)
          next += 4
        }
      }
    }
  }
  return anchors
}

const boxAround = (y: number, x: number, [height, width]: AnchorSize): ReadonlyArray<number> => [
  y - height / 2,
  x - width / 2,
  y + height / 2,
  x + width / 2
]

/** A stride that does not fit its feature map would put all anchors beside what their cells see. */
const checkGrid = (name: string, cells: number, stride: number, pixels: number): void => {
  if (Math.abs(cells * stride - pixels) < stride) return
  throw new RangeError(
    `${cells} ${name} of stride ${stride} do not cover ${pixels} pixels: ` +
      `there must be ${Math.ceil(pixels / stride)}`
  )
}

const OCTAVE_SCALES = [1, 2 ** (1 / 3), 2 ** (2 / 3)]
/** Height over width. */
const ASPECT_RATIOS = [0.5, 1, 2]

/**
 * RetinaNet's nine sizes of a level (arXiv 1708.02002 §4): three scales within an octave from 4 × stride, in
 * each of which the ratios of height to width 1:2, 1:1 and 2:1 share one area.
 */
export const retinaAnchorSizes = (stride: number): ReadonlyArray<AnchorSize> =>
  OCTAVE_SCALES.flatMap((scale) =>
    ASPECT_RATIOS.map((ratio): AnchorSize => {
      const side = 4 * stride * scale
      return [side * Math.sqrt(ratio), side / Math.sqrt(ratio)]
    })
  )
