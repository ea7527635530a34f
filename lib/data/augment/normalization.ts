/** Pixels 0…255 to what a network reads: (pixel / 255 - mean) / standard deviation, per channel. */

/** Per channel, in units of pixel / 255. */
export interface Normalization {
  readonly mean: ReadonlyArray<number>
  readonly std: ReadonlyArray<number>
}

/** He et al. 2018, §2.1, step 6, for RGB. */
export const paperNormalization: Normalization = {
  mean: [123.68, 116.779, 103.939].map((pixels) => pixels / 255),
  std: [58.393, 57.12, 57.375].map((pixels) => pixels / 255)
}

/** Entry `channel * 256 + pixel` is the normalised value: one look-up a value instead of two operations. */
export const normalizationTable = ({ mean, std }: Normalization): Float32Array => {
  const table = new Float32Array(mean.length * 256)
  for (const [channel, channelMean] of mean.entries()) {
    for (let pixel = 0; pixel < 256; pixel++) {
      table[channel * 256 + pixel] = (pixel / 255 - channelMean) / std[channel]!
    }
  }
  return table
}

/** Normalises whole images, channels last: `output[i]` from `pixels[start + i]`. */
export const normalizeInto = (
  output: Float32Array,
  pixels: Uint8Array,
  start: number,
  channels: number,
  table: Float32Array
): void => {
  for (let index = 0; index < output.length; index += channels) {
    for (let channel = 0; channel < channels; channel++) {
      output[index + channel] = table[channel * 256 + pixels[start + index + channel]!]!
    }
  }
}
