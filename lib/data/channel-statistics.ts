import type { Images } from "./batches.ts"
import type { FittedImage } from "./fit-image.ts"

export interface ChannelStatistics {
  /** Per channel, in units of pixel / 255. */
  readonly mean: ReadonlyArray<number>
  /** Population standard deviation, at least one grey level so that it can be divided by. */
  readonly std: ReadonlyArray<number>
}

/** How often each value occurs in each channel: exact sums, whatever the number of images. */
export class ChannelHistograms {
  private readonly counts: ReadonlyArray<Float64Array>

  /** `from` are the `values` of another. */
  constructor(channels: number, from?: ReadonlyArray<ReadonlyArray<number>>) {
    this.counts = Array.from({ length: channels }, (_, channel) =>
      from === undefined ? new Float64Array(256) : Float64Array.from(from[channel]!)
    )
  }

  /** `[C][256]` */
  get values(): ReadonlyArray<ReadonlyArray<number>> {
    return this.counts.map((histogram) => Array.from(histogram))
  }

  /** Whole pixels, from the first value up to, not including, the last. */
  count(pixels: Uint8Array, from: number, to: number): void {
    for (const [channel, histogram] of this.counts.entries()) {
      for (let at = from + channel; at < to; at += this.counts.length) histogram[pixels[at]!]! += 1
    }
  }

  /** What of an image so wide is no padding, from its first value on. */
  countImage({ extent, pixels }: FittedImage, width: number, from = 0): void {
    const channels = this.counts.length
    for (let row = 0; row < extent.rows; row++) {
      const start = from + row * width * channels
      this.count(pixels, start, start + extent.columns * channels)
    }
  }

  get statistics(): ChannelStatistics {
    const moments = this.counts.map((histogram) => {
      const count = histogram.reduce((total, times) => total + times, 0)
      const sum = histogram.reduce((total, times, value) => total + times * value, 0)
      const squares = histogram.reduce((total, times, value) => total + times * value * value, 0)
      const mean = sum / count
      return { mean: mean / 255, std: Math.max(1, Math.sqrt(squares / count - mean * mean)) / 255 }
    })
    return { mean: moments.map(({ mean }) => mean), std: moments.map(({ std }) => std) }
  }
}

/** Over all pixels of `[N, H, W, C]`. */
export const channelStatistics = (pixels: Uint8Array, channels: number): ChannelStatistics => {
  const histograms = new ChannelHistograms(channels)
  histograms.count(pixels, 0, pixels.length)
  return histograms.statistics
}

/** The same over what is image: `extents` `[N, 2]` tells rows and columns that are no padding. */
export const imageStatistics = (
  { channels, height, images, width }: Images,
  extents: Int32Array
): ChannelStatistics => {
  const histograms = new ChannelHistograms(channels)
  for (let image = 0; image < extents.length / 2; image++) {
    const extent = { rows: extents[image * 2]!, columns: extents[image * 2 + 1]! }
    histograms.countImage({ pixels: images, extent }, width, image * height * width * channels)
  }
  return histograms.statistics
}
