/** Our filter gradient of dense convolutions against the sum that defines it. */
import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import koffi from "koffi"
import { type WindowShape, windowNumbers } from "../../../../infra/tensorflow/CpuKernels.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { kernels } from "../../../support/runtimes.ts"

const skipped = kernels.kind === "absent" ? ` (skipped: ${kernels.reason})` : ""

/** TensorFlow's own symbols stay unresolved: nothing here calls what needs them. */
const object = kernels.kind === "compiled" ? koffi.load(kernels.file, { lazy: true }) : undefined
const supported = object?.func("int conv_filter_gradient_supported(int64_t*, int)")
const gradientOf = {
  float32: object?.func("void conv_filter_gradient_f32(int64_t*, float*, float*, float*)"),
  bfloat16: object?.func("void conv_filter_gradient_bf16(int64_t*, uint16_t*, uint16_t*, float*)")
}
const startThreads = object?.func("void parallel_start(int)")

type ElementType = keyof typeof gradientOf

const numbersOf = (window: WindowShape): BigInt64Array => BigInt64Array.from(windowNumbers(window), BigInt)

/** The values nearest to those of `values` that bf16 has. */
const roundedToBf16 = (values: Float32Array): Float32Array => {
  const bits = new Uint32Array(values.slice().buffer)
  return new Float32Array(
    bits.map((word) => ((word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000) >>> 0).buffer
  )
}

const upperHalves = (values: Float32Array): Uint16Array =>
  Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16)

/** Calls `visit(input row, output row)` for all pairs of pixels that a tap of the filter joins. */
const eachPair = (
  w: WindowShape,
  kh: number,
  kw: number,
  visit: (inputPixel: number, outputPixel: number) => void
): void => {
  for (let n = 0; n < w.batch; n++)
    for (let oy = 0; oy < w.outHeight; oy++)
      for (let ox = 0; ox < w.outWidth; ox++) {
        const y = oy * w.strideHeight + kh * w.dilationHeight - w.padTop
        const x = ox * w.strideWidth + kw * w.dilationWidth - w.padLeft
        if (y < 0 || x < 0 || y >= w.height || x >= w.width) continue
        visit((n * w.height + y) * w.width + x, (n * w.outHeight + oy) * w.outWidth + ox)
      }
}

/** The gradient in float64, and for each of its elements the sum of the products' magnitudes. */
const reference = (
  w: WindowShape,
  x: Float32Array,
  dy: Float32Array
): { readonly sums: Float64Array; readonly magnitudes: Float64Array } => {
  const size = w.filterHeight * w.filterWidth * w.inputs * w.outputs
  const sums = new Float64Array(size)
  const magnitudes = new Float64Array(size)
  for (let tap = 0; tap < w.filterHeight * w.filterWidth; tap++)
    eachPair(w, Math.floor(tap / w.filterWidth), tap % w.filterWidth, (inputPixel, outputPixel) => {
      for (let i = 0; i < w.inputs; i++)
        for (let o = 0; o < w.outputs; o++) {
          const product = (x[inputPixel * w.inputs + i] ?? 0) * (dy[outputPixel * w.outputs + o] ?? 0)
          const at = (tap * w.inputs + i) * w.outputs + o
          sums[at] = (sums[at] ?? 0) + product
          magnitudes[at] = (magnitudes[at] ?? 0) + Math.abs(product)
        }
    })
  return { sums, magnitudes }
}

const uniform = (random: RandomStream, length: number): Float32Array =>
  Float32Array.from({ length }, () => random.between(-1, 1))

const compute = (w: WindowShape, type: ElementType, x: Float32Array, dy: Float32Array): Float32Array => {
  const gradient = new Float32Array(w.filterHeight * w.filterWidth * w.inputs * w.outputs).fill(Number.NaN)
  const inputs = type === "float32" ? [x, dy] : [upperHalves(x), upperHalves(dy)]
  gradientOf[type]?.(numbersOf(w), ...inputs, gradient)
  return gradient
}

/** The largest error of an element, as a part of the magnitudes that it sums. */
const worstError = (w: WindowShape, type: ElementType, random: RandomStream): number => {
  const given = [
    uniform(random, w.batch * w.height * w.width * w.inputs),
    uniform(random, w.batch * w.outHeight * w.outWidth * w.outputs)
  ] as const
  const [x, dy] = type === "float32" ? given : [roundedToBf16(given[0]), roundedToBf16(given[1])]
  const { magnitudes, sums } = reference(w, x, dy)
  const errors = compute(w, type, x, dy).map((value, at) => {
    const error = Math.abs(value - (sums[at] ?? 0))
    return error === 0 ? 0 : error / (magnitudes[at] ?? 0)
  })
  return errors.reduce((worst, error) => (error <= worst ? worst : error), 0)
}

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** One direction of a window. */
const RandomAxis = Schema.Struct({
  size: between(1, 12),
  taps: between(1, 5),
  stride: Schema.Literals([1, 1, 2, 3]),
  dilation: Schema.Literals([1, 1, 2]),
  before: between(0, 3),
  after: between(0, 3)
})

/** Full and partly filled vectors and tiles. */
const RandomChannels = Schema.Literals([1, 2, 3, 7, 8, 9, 16, 17, 24, 32, 33, 48, 64, 80, 100])

const RandomWindow = Schema.Struct({
  batch: between(1, 5),
  down: RandomAxis,
  across: RandomAxis,
  inputs: RandomChannels,
  outputs: RandomChannels
})

/** An axis too short for its taps is padded until they fit. */
const outputsOf = ({ after, before, dilation, size, stride, taps }: typeof RandomAxis.Type): number => {
  const reach = (taps - 1) * dilation + 1
  return Math.floor((Math.max(size + before + after, reach) - reach) / stride) + 1
}

const windowOf = ({ across, batch, down, inputs, outputs }: typeof RandomWindow.Type): WindowShape => ({
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
})

/** A square filter over square images with the same padding all around. */
const square = (
  batch: number,
  size: number,
  inputs: number,
  outputs: number,
  taps: number,
  stride: number
): WindowShape => {
  const pad = Math.floor(taps / 2)
  const out = Math.floor((size + 2 * pad - taps) / stride) + 1
  const sizes = {
    height: size,
    width: size,
    outHeight: out,
    outWidth: out,
    filterHeight: taps,
    filterWidth: taps
  }
  const steps = { strideHeight: stride, strideWidth: stride, dilationHeight: 1, dilationWidth: 1 }
  return { batch, inputs, outputs, ...sizes, ...steps, padTop: pad, padLeft: pad }
}

/** Shapes that take several chunks, splits, blocks, and every order of taps. */
const cutShapes: ReadonlyArray<readonly [string, WindowShape]> = [
  ["few outputs, several chunks", square(24, 32, 16, 16, 3, 1)],
  ["eight channels", square(9, 16, 8, 8, 3, 1)],
  ["few inputs, bands of rows", square(3, 64, 3, 64, 7, 2)],
  ["one input", square(16, 28, 1, 16, 3, 1)],
  ["blocks of channels with a tail", square(5, 7, 300, 264, 1, 1)],
  ["one tap with a stride", square(7, 14, 64, 130, 1, 2)],
  ["bands of rows with a halo", square(2, 40, 64, 48, 3, 1)],
  ["several images in a chunk", square(33, 8, 64, 64, 3, 1)]
]

const tolerance = 3e-6

describe.skipIf(object === undefined)(`the filter gradient of convolutions${skipped}`, () => {
  startThreads?.(2)
  const types = (["float32", "bfloat16"] as const).filter(
    (type) => supported?.(numbersOf(square(8, 8, 64, 64, 3, 1)), type === "bfloat16" ? 1 : 0) === 1
  )

  for (const type of types)
    it.prop(
      `${type}: sums what the definition sums`,
      { given: RandomWindow },
      ({ given }) => {
        const window = windowOf(given)
        expect(worstError(window, type, RandomStream.make(20261124, type))).toBeLessThan(tolerance)
      },
      { arbitrary: { runs: 200, seed: 6 } }
    )

  const cases = types.flatMap((type) => cutShapes.map(([name, window]) => [type, name, window] as const))
  it.each(cases)("%s: %s", (type, name, window) => {
    expect(worstError(window, type, RandomStream.make(1, name))).toBeLessThan(tolerance)
  })

  it.each(types)("%s: gives the same bits each time, and with more threads", (type) => {
    const window = square(24, 16, 32, 32, 3, 1)
    const random = RandomStream.make(2, type)
    const x = roundedToBf16(uniform(random, 24 * 16 * 16 * 32))
    const dy = roundedToBf16(uniform(random, 24 * 16 * 16 * 32))
    const first = compute(window, type, x, dy)
    startThreads?.(4)
    for (let i = 0; i < 5; i++) expect(compute(window, type, x, dy)).toEqual(first)
  })
})
