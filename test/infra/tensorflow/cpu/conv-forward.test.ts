/** Our forward pass and input gradient of dense convolutions against the sums that define them. */
import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import koffi from "koffi"
import { type WindowShape, windowNumbers } from "../../../../infra/tensorflow/CpuKernels.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { kernels } from "../../../support/runtimes.ts"

const skipped = kernels.kind === "absent" ? ` (skipped: ${kernels.reason})` : ""

/** TensorFlow's own symbols stay unresolved: nothing here calls what needs them. */
const object = kernels.kind === "compiled" ? koffi.load(kernels.file, { lazy: true }) : undefined
const startThreads = object?.func("void parallel_start(int)")

type ElementType = "float32" | "bfloat16"
type Pass = "forward" | "input_gradient"

const passes: ReadonlyArray<Pass> = ["forward", "input_gradient"]
const suffixes = { float32: "f32", bfloat16: "bf16" } as const
const elements = { float32: "float*", bfloat16: "uint16_t*" } as const

const functionOf = (pass: Pass, type: ElementType) =>
  object?.func(`void conv_${pass}_${suffixes[type]}(int64_t*, ${elements[type]}, float*, ${elements[type]})`)

const functions = {
  forward: { float32: functionOf("forward", "float32"), bfloat16: functionOf("forward", "bfloat16") },
  input_gradient: {
    float32: functionOf("input_gradient", "float32"),
    bfloat16: functionOf("input_gradient", "bfloat16")
  }
}

const numbersOf = (window: WindowShape): BigInt64Array => BigInt64Array.from(windowNumbers(window), BigInt)

/** Lengths of x, the filter and y. */
const lengthsOf = (w: WindowShape) => ({
  x: w.batch * w.height * w.width * w.inputs,
  filter: w.filterHeight * w.filterWidth * w.inputs * w.outputs,
  y: w.batch * w.outHeight * w.outWidth * w.outputs
})

/** The values nearest to those of `values` that bf16 has. */
const roundedToBf16 = (values: Float32Array): Float32Array => {
  const bits = new Uint32Array(values.slice().buffer)
  return new Float32Array(
    bits.map((word) => ((word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000) >>> 0).buffer
  )
}

const upperHalves = (values: Float32Array): Uint16Array =>
  Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16)

const fromUpperHalves = (halves: Uint16Array): Float32Array =>
  new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer)

/** Calls `visit` for every input pixel, output pixel and tap of the filter that belong together. */
const eachTap = (
  w: WindowShape,
  visit: (inputPixel: number, outputPixel: number, tap: number) => void
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

/** The result in float64, and for each of its elements the sum of the products' magnitudes. */
const reference = (w: WindowShape, pass: Pass, source: Float32Array, filter: Float32Array) => {
  const size = pass === "forward" ? lengthsOf(w).y : lengthsOf(w).x
  const sums = new Float64Array(size)
  const magnitudes = new Float64Array(size)
  eachTap(w, (inputPixel, outputPixel, tap) => {
    for (let i = 0; i < w.inputs; i++)
      for (let o = 0; o < w.outputs; o++) {
        const [x, y] = [inputPixel * w.inputs + i, outputPixel * w.outputs + o]
        const [from, to] = pass === "forward" ? [x, y] : [y, x]
        const product = (source[from] ?? 0) * (filter[(tap * w.inputs + i) * w.outputs + o] ?? 0)
        sums[to] = (sums[to] ?? 0) + product
        magnitudes[to] = (magnitudes[to] ?? 0) + Math.abs(product)
      }
  })
  return { sums, magnitudes }
}

const GUARD = 64

/** What the kernel writes into memory full of NaN, after which there is more that must stay so. */
const compute = (
  w: WindowShape,
  pass: Pass,
  type: ElementType,
  source: Float32Array,
  filter: Float32Array
): Float32Array => {
  const size = pass === "forward" ? lengthsOf(w).y : lengthsOf(w).x
  if (type === "float32") {
    const written = new Float32Array(size + GUARD).fill(Number.NaN)
    functions[pass].float32?.(numbersOf(w), source, filter, written)
    return written
  }
  const written = new Uint16Array(size + GUARD).fill(0x7fc0)
  functions[pass].bfloat16?.(numbersOf(w), upperHalves(source), filter, written)
  return fromUpperHalves(written)
}

const uniform = (random: RandomStream, length: number): Float32Array =>
  Float32Array.from({ length }, () => random.between(-1, 1))

/**
 * Where float32 takes Winograd's filtering, which adds and cancels what lies around a sum's terms: three taps
 * next to one another, in an input gradient of those that reach the same pixels of dy.
 */
const isMinimal = (w: WindowShape, pass: Pass, type: ElementType): boolean => {
  const along = (taps: number, stride: number, dilation: number): boolean => {
    const reaching = (taps * dilation) / stride
    if (pass === "forward" && stride !== 1) return false
    return stride % dilation === 0 && (Math.floor(reaching) === 3 || Math.ceil(reaching) === 3)
  }
  return (
    type === "float32" &&
    along(w.filterHeight, w.strideHeight, w.dilationHeight) &&
    along(w.filterWidth, w.strideWidth, w.dilationWidth)
  )
}

/**
 * The largest error of an element, as a part of the magnitudes it sums, or of the largest where terms are
 * mixed; NaN if memory behind is touched.
 */
const worstError = (w: WindowShape, pass: Pass, type: ElementType, random: RandomStream): number => {
  const lengths = lengthsOf(w)
  const given = [
    uniform(random, pass === "forward" ? lengths.x : lengths.y),
    uniform(random, lengths.filter)
  ] as const
  const rounded = [roundedToBf16(given[0]), roundedToBf16(given[1])] as const
  const [source, filter] = type === "float32" ? given : rounded
  const { magnitudes, sums } = reference(w, pass, source, filter)
  const written = compute(w, pass, type, source, given[1])
  if (written.subarray(sums.length).some((value) => !Number.isNaN(value))) return Number.NaN
  const largest = magnitudes.reduce((most, magnitude) => Math.max(most, magnitude), 0)
  const mixed = isMinimal(w, pass, type)
  return sums.reduce((worst, sum, at) => {
    const error = Math.abs((written[at] ?? Number.NaN) - sum)
    const relative = error === 0 ? 0 : error / (mixed ? largest : (magnitudes[at] ?? 0))
    return relative <= worst ? worst : relative
  }, 0)
}

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** One direction of a window. */
const RandomAxis = Schema.Struct({
  size: between(1, 20),
  taps: Schema.Literals([1, 1, 2, 3, 3, 4, 5, 7]),
  stride: Schema.Literals([1, 1, 2, 2, 3]),
  dilation: Schema.Literals([1, 1, 2, 3]),
  before: between(0, 3),
  after: between(0, 3)
})

/** Full and partly filled vectors, pairs and panels. */
const RandomChannels = Schema.Literals([1, 2, 3, 4, 5, 8, 15, 16, 17, 24, 31, 32, 33, 40, 48, 64, 65, 80])

const RandomWindow = Schema.Struct({
  batch: Schema.Literals([1, 2, 3, 9]),
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

/** A square filter over square images; padded all around by half the filter, or as TensorFlow's SAME does. */
const square = (
  batch: number,
  size: number,
  inputs: number,
  outputs: number,
  taps: number,
  stride: number
): WindowShape => {
  const out = Math.ceil(size / stride)
  const pad = Math.max(Math.floor(((out - 1) * stride + taps - size) / 2), 0)
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

/** Shapes of networks that we train, which take several blocks, panels, rows at once and phases. */
const cutShapes: ReadonlyArray<readonly [string, WindowShape]> = [
  ["few channels, wide rows", square(3, 32, 16, 16, 3, 1)],
  ["few channels, halved", square(3, 32, 16, 32, 3, 2)],
  ["rows of eight", square(5, 8, 64, 64, 3, 1)],
  ["tiles of images, halved", square(19, 14, 32, 40, 3, 2)],
  ["tiles of images along a row", { ...square(8, 17, 48, 32, 1, 1), filterWidth: 7, padLeft: 3 }],
  ["rows of seven", square(17, 7, 64, 80, 3, 1)],
  ["asymmetric padding, tails", { ...square(2, 13, 40, 50, 3, 1), outHeight: 12, padTop: 0, padLeft: 2 }],
  ["a stem", square(2, 64, 3, 64, 7, 2)],
  ["a stem of one channel", square(3, 28, 1, 16, 3, 1)],
  ["a matrix product with a tail", square(5, 7, 300, 264, 1, 1)],
  ["a matrix product in several blocks", square(2, 28, 128, 48, 1, 1)],
  ["one tap with a stride", square(7, 14, 64, 130, 1, 2)],
  ["several blocks of rows", square(1, 40, 96, 16, 3, 1)],
  ["a long row", { ...square(2, 17, 96, 96, 1, 1), filterWidth: 7, padLeft: 3 }],
  ["a long column", { ...square(2, 17, 96, 96, 1, 1), filterHeight: 7, padTop: 3 }]
]

const toleranceOf = (w: WindowShape, pass: Pass, type: ElementType): number =>
  type === "bfloat16" ? 2 ** -8 * 1.01 : isMinimal(w, pass, type) ? 5e-6 : 1e-6

describe.skipIf(object === undefined)(`convolutions and their input gradients${skipped}`, () => {
  startThreads?.(2)
  const kinds = passes.flatMap((pass) =>
    (["float32", "bfloat16"] as const).flatMap((type) => {
      const supported = object?.func(`int conv_${pass}_supported(int64_t*, int)`)
      const low = type === "bfloat16" ? 1 : 0
      return supported?.(numbersOf(square(8, 8, 64, 64, 3, 1)), low) === 1 ? [[pass, type] as const] : []
    })
  )

  for (const [pass, type] of kinds)
    it.prop(
      `${pass}, ${type}: sums what the definition sums`,
      { given: RandomWindow },
      ({ given }) => {
        const window = windowOf(given)
        const random = RandomStream.make(20261124, type)
        expect(worstError(window, pass, type, random)).toBeLessThan(toleranceOf(window, pass, type))
      },
      { arbitrary: { runs: 150, seed: 6 } }
    )

  const cases = kinds.flatMap((kind) => cutShapes.map(([name, window]) => [...kind, name, window] as const))
  it.each(cases)("%s, %s: %s", (pass, type, name, window) => {
    expect(worstError(window, pass, type, RandomStream.make(1, name))).toBeLessThan(
      toleranceOf(window, pass, type)
    )
  })

  it.each(kinds)("%s, %s: gives the same bits each time, and with more threads", (pass, type) => {
    const window = square(24, 16, 32, 32, 3, 1)
    const random = RandomStream.make(2, type)
    const source = roundedToBf16(uniform(random, lengthsOf(window).x))
    const filter = uniform(random, lengthsOf(window).filter)
    const first = compute(window, pass, type, source, filter)
    startThreads?.(4)
    for (let i = 0; i < 5; i++) expect(compute(window, pass, type, source, filter)).toEqual(first)
  })
})
