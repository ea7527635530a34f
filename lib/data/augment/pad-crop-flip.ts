/**
 * The augmentation of CIFAR recipes: pad by a few pixels, crop the original size at a random place, mirror
 * half of the images. The padding is 0 *after* normalisation (the mean colour), as in the PyTorch reference.
 */

/** What one image gets: the crop's corner in the padded image (0 … 2 pad), and whether it is mirrored. */
export interface CropFlip {
  readonly top: number
  readonly left: number
  readonly flip: boolean
}

export interface ImageSize {
  readonly height: number
  readonly width: number
  readonly channels: number
}

/**
 * Writes one image, cropped, mirrored and normalised by `table` (see normalizationTable), to `output` at
 * `to`. `pixels` holds the image from `from` on, `[H, W, C]`.
 */
export const writeCropFlip = (options: {
  readonly output: Float32Array
  readonly to: number
  readonly pixels: Uint8Array
  readonly from: number
  readonly size: ImageSize
  readonly pad: number
  readonly crop: CropFlip
  readonly table: Float32Array
}): void => {
  const { output, to, pixels, from, size, pad, crop, table } = options
  const { height, width, channels } = size
  const down = crop.top - pad
  const right = crop.left - pad
  // Columns of the output (before mirroring) that lie on the image rather than on its padding.
  const begin = Math.max(0, -right)
  const end = Math.min(width, width - right)
  output.fill(0, to, to + height * width * channels)
  for (let row = Math.max(0, -down); row < Math.min(height, height - down); row++) {
    const source = from + ((row + down) * width + right) * channels
    const target = to + row * width * channels
    for (let column = begin; column < end; column++) {
      const at = target + (crop.flip ? width - 1 - column : column) * channels
      for (let channel = 0; channel < channels; channel++) {
        output[at + channel] = table[channel * 256 + pixels[source + column * channels + channel]!]!
      }
    }
  }
}
