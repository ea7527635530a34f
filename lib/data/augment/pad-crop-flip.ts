/**
 * The augmentation of CIFAR recipes: pad by a few pixels, crop the network's size at a random place, mirror
 * half of the images. The padding is 0 *after* normalisation (the mean colour), as in the PyTorch reference.
 */

import type { RandomStream } from "../../tensor/random.ts"

/** What one image gets: the crop's corner in the padded image (from 0), and whether it is mirrored. */
export interface CropFlip {
  readonly top: number
  readonly left: number
  readonly flip: boolean
}

export interface FrameSize {
  readonly height: number
  readonly width: number
}

export interface ImageSize extends FrameSize {
  readonly channels: number
}

/** A crop of the frame's size anywhere in the padded image; as many numbers are drawn whatever the params. */
export const randomCropFlip = (
  random: RandomStream,
  size: FrameSize,
  frame: FrameSize,
  { flip, pad }: { readonly pad: number; readonly flip: boolean }
): CropFlip => ({
  top: random.below(size.height + 2 * pad - frame.height + 1),
  left: random.below(size.width + 2 * pad - frame.width + 1),
  flip: flip && random.uniform() < 0.5
})

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
  /** Of the output. */
  readonly frame: FrameSize
  readonly pad: number
  readonly crop: CropFlip
  readonly table: Float32Array
}): void => {
  const { output, to, pixels, from, frame, size, pad, crop, table } = options
  const { channels } = size
  const down = crop.top - pad
  const right = crop.left - pad
  // Columns of the output (before mirroring) that lie on the image rather than on its padding.
  const begin = Math.max(0, -right)
  const end = Math.min(frame.width, size.width - right)
  output.fill(0, to, to + frame.height * frame.width * channels)
  for (let row = Math.max(0, -down); row < Math.min(frame.height, size.height - down); row++) {
    const source = from + ((row + down) * size.width + right) * channels
    const target = to + row * frame.width * channels
    for (let column = begin; column < end; column++) {
      const at = target + (crop.flip ? frame.width - 1 - column : column) * channels
      for (let channel = 0; channel < channels; channel++) {
        output[at + channel] = table[channel * 256 + pixels[source + column * channels + channel]!]!
      }
    }
  }
}
