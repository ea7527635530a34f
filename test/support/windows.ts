/** Sliding windows for tests of kernels in C: random shapes, and what belongs together in them. */
import { Schema } from "effect"
import { type WindowShape, windowNumbers } from "../../infra/tensorflow/CpuKernels.ts"
import type { RandomStream } from "../../lib/tensor/random.ts"

export const numbersOf = (window: WindowShape): BigInt64Array =>
  BigInt64Array.from(windowNumbers(window), BigInt)

export const uniform = (random: RandomStream, length: number): Float32Array =>
  Float32Array.from({ length }, () => random.between(-1, 1))

/** How many cells lie before and behind a window's. */
export const cellsOf = (w: WindowShape): { readonly input: number; readonly output: number } => ({
  input: w.batch * w.height * w.width,
  output: w.batch * w.outHeight * w.outWidth
})

/** Calls `visit` for every input cell, output cell and tap that belong together. */
export const eachTap = (
  w: WindowShape,
  visit: (inputCell: number, outputCell: number, tap: number) => void
): void => {
  for (let n = 0; n < w.batch; n++)
    for (let oy = 0; oy < w.outHeight; oy++)
      for (let ox = 0; ox < w.outWidth; ox++)
        for (let tap = 0; tap < w.filterHeight * w.filterWidth; tap++) {
          const y = oy * w.strideHeight + Math.floor(tap / w.filterWidth) * w.dilationHeight - w.padTop
          const x = ox * w.strideWidth + (tap % w.filterWidth) * w.dilationWidth - w.padLeft
          if (y < 0 || x < 0 || y >= w.height || x >= w.width) continue
          visit((n * w.height + y) * w.width + x, (n * w.outHeight + oy) * w.outWidth + ox, tap)
        }
}

/** Results in float64, and for each the sum of the magnitudes of its products. */
export interface SumsOfProducts {
  readonly sums: Float64Array
  readonly magnitudes: Float64Array
}

/** How many elements after a result a kernel is given that it must not touch. */
export const GUARD = 64

/** The largest error of an element, as a part of its magnitude; NaN if one of the guards is a number. */
export const worstOf = (written: Float32Array, { magnitudes, sums }: SumsOfProducts): number => {
  if (written.subarray(sums.length).some((value) => !Number.isNaN(value))) return Number.NaN
  return sums.reduce((worst, sum, at) => {
    const error = Math.abs((written[at] ?? Number.NaN) - sum)
    const relative = error === 0 ? 0 : error / (magnitudes[at] ?? 0)
    return relative <= worst ? worst : relative
  }, 0)
}

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** One direction of a window, over so many cells at most. */
const randomAxis = (largest: number) =>
  Schema.Struct({
    size: between(1, largest),
    taps: Schema.Literals([1, 1, 2, 3, 3, 4, 5, 7]),
    stride: Schema.Literals([1, 1, 2, 2, 3]),
    dilation: Schema.Literals([1, 1, 2, 3]),
    before: between(0, 3),
    after: between(0, 3)
  })
type RandomAxis = ReturnType<typeof randomAxis>["Type"]

const randomWindowOver = <Channels extends Schema.Struct.Fields>(largest: number, channels: Channels) =>
  Schema.Struct({
    batch: Schema.Literals([1, 2, 3, 9]),
    down: randomAxis(largest),
    across: randomAxis(largest),
    ...channels
  })

/** A window over images of at most `largest` rows and columns, with some of these numbers of channels. */
export const randomWindow = (largest: number, channels: ReadonlyArray<number>) =>
  randomWindowOver(largest, { inputs: Schema.Literals(channels), outputs: Schema.Literals(channels) })

/** A window over as many channels as come out of it; full and partly filled vectors. */
export const RandomChannelWindow = randomWindowOver(24, {
  channels: Schema.Literals([1, 2, 3, 8, 15, 16, 17, 24, 31, 32, 33, 48, 64, 65])
})

/** An axis too short for its taps is padded until they fit. */
const outputsOf = ({ after, before, dilation, size, stride, taps }: RandomAxis): number => {
  const reach = (taps - 1) * dilation + 1
  return Math.floor((Math.max(size + before + after, reach) - reach) / stride) + 1
}

export const windowOf = (given: ReturnType<typeof randomWindow>["Type"]): WindowShape => {
  const { across, batch, down, inputs, outputs } = given
  return {
    batch,
    height: down.size,
    width: across.size,
    inputs,
    outHeight: outputsOf(down),
    outWidth: outputsOf(across),
    outputs,
    filterHeight: down.taps,
    filterWidth: across.taps,
    strideHeight: down.stride,
    strideWidth: across.stride,
    padTop: down.before,
    padLeft: across.before,
    dilationHeight: down.dilation,
    dilationWidth: across.dilation
  }
}

export const channelWindowOf = ({ channels, ...window }: typeof RandomChannelWindow.Type): WindowShape =>
  windowOf({ ...window, inputs: channels, outputs: channels })

/** Square windows over square images, with so many rows and columns of padding before the first. */
export const squareWindow = (
  batch: number,
  size: number,
  channels: number,
  taps: number,
  stride: number,
  pad: number
): WindowShape => {
  const out = Math.floor((size + 2 * pad - taps) / stride) + 1
  const axes = { height: size, width: size, outHeight: out, outWidth: out, padTop: pad, padLeft: pad }
  const steps = { filterHeight: taps, filterWidth: taps, strideHeight: stride, strideWidth: stride }
  return {
    batch,
    inputs: channels,
    outputs: channels,
    ...axes,
    ...steps,
    dilationHeight: 1,
    dilationWidth: 1
  }
}

/** The same from `inputs` to `outputs` channels, padded as TensorFlow's SAME does. */
export const sameWindow = (
  batch: number,
  size: number,
  inputs: number,
  outputs: number,
  taps: number,
  stride: number
): WindowShape => {
  const out = Math.ceil(size / stride)
  const pad = Math.max(Math.floor(((out - 1) * stride + taps - size) / 2), 0)
  const window = squareWindow(batch, size, inputs, taps, stride, pad)
  return { ...window, outHeight: out, outWidth: out, outputs }
}
