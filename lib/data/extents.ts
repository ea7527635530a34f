/** Which part of a prepared image is image: the rest is padding, at the bottom and the right. */

/** Images that may be padded. */
export interface Extents {
  /** `[N, 2]`: so many rows and columns, from the top left, are image. */
  readonly extents: Int32Array
}

export const extentOfImage = ({ extents }: Extents, image: number) => ({
  rows: extents[image * 2]!,
  columns: extents[image * 2 + 1]!
})

/** Whether every extent lies in images of `height` × `width` pixels. */
export const areInside = (extents: Int32Array, height: number, width: number): boolean =>
  extents.every((extent, index) => extent >= 0 && extent <= (index % 2 === 0 ? height : width))
