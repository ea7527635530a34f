/** Where pixels lie: all in one array, or where those who hold them say. */
import type { Images } from "./batches.ts"
import type { ShardedImages } from "./ShardedImages.ts"

/** An image `[H, W, C]` among others. */
export interface Pixels {
  readonly pixels: Uint8Array
  /** The place of its first value. */
  readonly from: number
}

export type PixelsOf = (example: number) => Pixels

export const pixelsOf = (images: Images | ShardedImages): PixelsOf => {
  if (!("images" in images)) return images.pixelsOf
  const { channels, height, images: pixels, width } = images
  const valuesPerImage = height * width * channels
  return (example) => ({ pixels, from: example * valuesPerImage })
}
