export interface ChannelStatistics {
  /** Per channel, in units of pixel / 255. */
  readonly mean: ReadonlyArray<number>
  /** Population standard deviation, at least one grey level so that it can be divided by. */
  readonly std: ReadonlyArray<number>
}

/** Over all pixels of `[N, H, W, C]`, from histograms: exact sums, whatever the number of images. */
export const channelStatistics = (pixels: Uint8Array, channels: number): ChannelStatistics => {
  const histograms = Array.from({ length: channels }, () => new Float64Array(256))
  for (let channel = 0; channel < channels; channel++) {
    const histogram = histograms[channel]!
    for (let at = channel; at < pixels.length; at += channels) histogram[pixels[at]!]! += 1
  }
  const count = pixels.length / channels
  const moments = histograms.map((histogram) => {
    const sum = histogram.reduce((total, times, value) => total + times * value, 0)
    const squares = histogram.reduce((total, times, value) => total + times * value * value, 0)
    const mean = sum / count
    return { mean: mean / 255, std: Math.max(1, Math.sqrt(squares / count - mean * mean)) / 255 }
  })
  return { mean: moments.map(({ mean }) => mean), std: moments.map(({ std }) => std) }
}
