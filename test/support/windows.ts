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

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** One direction of a window. */
const RandomAxis = Schema.Struct({
  size: between(1, 24),
  taps: Schema.Literals([1, 2, 3, 3, 3, 4, 5, 7]),
  stride: Schema.Literals([1, 1, 2, 2, 3]),
  dilation: Schema.Literals([1, 1, 2, 3]),
  before: between(0, 3),
  after: between(0, 3)
})

/** A window over as many channels as come out of it; full and partly filled vectors. */
export const RandomChannelWindow = Schema.Struct({
  batch: between(1, 3),
  down: RandomAxis,
  across: RandomAxis,
  channels: Schema.Literals([1, 2, 3, 8, 15, 16, 17, 24, 31, 32, 33, 48, 64, 65])
})

/** An axis too short for its taps is padded until they fit. */
const outputsOf = ({ after, before, dilation, size, stride, taps }: typeof RandomAxis.Type): number => {
  const reach = (taps - 1) * dilation + 1
  return Math.floor((Math.max(size + before + after, reach) - reach) / stride) + 1
}

export const channelWindowOf = (given: typeof RandomChannelWindow.Type): WindowShape => {
  const { across, batch, channels, down } = given
  return {
    batch,
    height: down.size,
    width: across.size,
    inputs: channels,
    outHeight: outputsOf(down),
    outWidth: outputsOf(across),
    outputs: channels,
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
