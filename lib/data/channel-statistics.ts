import type { Images } from "./batches.ts"

export interface ChannelStatistics {
  /** Per channel, in units of pixel / 255. */
  readonly mean: ReadonlyArray<number>
  /** Population standard deviation, at least one grey level so that it can be divided by. */
  readonly std: ReadonlyArray<number>
}

/** Over all pixels of `[N, H, W, C]`, from histograms: exact sums, whatever the number of images. */
export const channelStatistics = (pixels: Uint8Array, channels: number): ChannelStatistics =>
  statisticsOf(channels, (count) => count(0, pixels.length), pixels)

/** The same over what is image: `extents` `[N, 2]` tells rows and columns that are no padding. */
export const imageStatistics = (
  { channels, height, images, width }: Images,
  extents: Int32Array
): ChannelStatistics =>
  statisticsOf(
    channels,
    (count) => {
      for (let image = 0; image < extents.length / 2; image++) {
        const [rows, columns] = [extents[image * 2]!, extents[image * 2 + 1]!]
        for (let row = 0; row < rows; row++) {
          const start = (image * height + row) * width * channels
          count(start, start + columns * channels)
        }
      }
    },
    images
  )

/** `each` counts runs of whole pixels, from the first value up to, not including, the last. */
const statisticsOf = (
  channels: number,
  each: (count: (from: number, to: number) => void) => void,
  pixels: Uint8Array
): ChannelStatistics => {
  const histograms = Array.from({ length: channels }, () => new Float64Array(256))
  each((from, to) => {
    for (let channel = 0; channel < channels; channel++) {
      const histogram = histograms[channel]!
      for (let at = from + channel; at < to; at += channels) histogram[pixels[at]!]! += 1
    }
  })
  const moments = histograms.map((histogram) => {
    const count = histogram.reduce((total, times) => total + times, 0)
    const sum = histogram.reduce((total, times, value) => total + times * value, 0)
    const squares = histogram.reduce((total, times, value) => total + times * value * value, 0)
    const mean = sum / count
    return { mean: mean / 255, std: Math.max(1, Math.sqrt(squares / count - mean * mean)) / 255 }
  })
  return { mean: moments.map(({ mean }) => mean), std: moments.map(({ std }) => std) }
}
