/** Our forward pass and input gradient of dense convolutions against the sums that define them. */
import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import type { WindowShape } from "../../../../infra/tensorflow/CpuKernels.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { fromHalves, halvesOf, roundedToBf16 } from "../../../support/bfloat16.ts"
import {
  type ElementType,
  elementTypes,
  object,
  pointers,
  skipped,
  startThreads,
  suffixes
} from "../../../support/kernelObject.ts"
import {
  cellsOf,
  eachTap,
  GUARD,
  numbersOf,
  randomWindow,
  sameWindow,
  uniform,
  windowOf,
  worstOf
} from "../../../support/windows.ts"

type Pass = "forward" | "input_gradient"

const passes: ReadonlyArray<Pass> = ["forward", "input_gradient"]

const functionOf = (pass: Pass, type: ElementType) =>
  object?.func(`void conv_${pass}_${suffixes[type]}(int64_t*, ${pointers[type]}, float*, ${pointers[type]})`)

const functions = {
  forward: { float32: functionOf("forward", "float32"), bfloat16: functionOf("forward", "bfloat16") },
  input_gradient: {
    float32: functionOf("input_gradient", "float32"),
    bfloat16: functionOf("input_gradient", "bfloat16")
  }
}

/** Lengths of x, the filter and y. */
const lengthsOf = (w: WindowShape) => ({
  x: cellsOf(w).input * w.inputs,
  filter: w.filterHeight * w.filterWidth * w.inputs * w.outputs,
  y: cellsOf(w).output * w.outputs
})

/** The result in float64, and for each of its elements the sum of the products' magnitudes. */
const reference = (w: WindowShape, pass: Pass, source: Float32Array, filter: Float32Array) => {
  const size = pass === "forward" ? lengthsOf(w).y : lengthsOf(w).x
  const sums = new Float64Array(size)
  const magnitudes = new Float64Array(size)
  eachTap(w, (inputCell, outputCell, tap) => {
    for (let i = 0; i < w.inputs; i++)
      for (let o = 0; o < w.outputs; o++) {
        const [x, y] = [inputCell * w.inputs + i, outputCell * w.outputs + o]
        const [from, to] = pass === "forward" ? [x, y] : [y, x]
        const product = (source[from] ?? 0) * (filter[(tap * w.inputs + i) * w.outputs + o] ?? 0)
        sums[to] = (sums[to] ?? 0) + product
        magnitudes[to] = (magnitudes[to] ?? 0) + Math.abs(product)
      }
  })
  return { sums, magnitudes }
}

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
  functions[pass].bfloat16?.(numbersOf(w), halvesOf(source), filter, written)
  return fromHalves(written)
}

const bytesOf = ({ buffer, byteLength, byteOffset }: Float32Array): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)

/** A forward pass into memory that begins so many bytes after an array's. */
const computeAt = (
  offset: number,
  w: WindowShape,
  type: ElementType,
  source: Float32Array,
  filter: Float32Array
): Float32Array => {
  const size = lengthsOf(w).y
  if (type === "float32") {
    const written = new Float32Array(new ArrayBuffer(offset + 4 * size), offset)
    functions.forward.float32?.(numbersOf(w), source, filter, written)
    return written
  }
  const written = new Uint16Array(new ArrayBuffer(offset + 2 * size), offset)
  functions.forward.bfloat16?.(numbersOf(w), halvesOf(source), filter, written)
  return fromHalves(written)
}

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
  const largest = magnitudes.reduce((most, magnitude) => Math.max(most, magnitude), 0)
  return worstOf(written, {
    sums,
    magnitudes: isMinimal(w, pass, type) ? magnitudes.fill(largest) : magnitudes
  })
}

/** Full and partly filled vectors, pairs and panels. */
const channels = [1, 2, 3, 4, 5, 8, 15, 16, 17, 24, 31, 32, 33, 40, 48, 64, 65, 80]

/** Shapes of networks that we train, which take several blocks, panels, rows at once and phases. */
const cutShapes: ReadonlyArray<readonly [string, WindowShape]> = [
  ["few channels, wide rows", sameWindow(3, 32, 16, 16, 3, 1)],
  ["few channels, halved", sameWindow(3, 32, 16, 32, 3, 2)],
  ["rows of eight", sameWindow(5, 8, 64, 64, 3, 1)],
  ["tiles of images, halved", sameWindow(19, 14, 32, 40, 3, 2)],
  ["tiles of images along a row", { ...sameWindow(8, 17, 48, 32, 1, 1), filterWidth: 7, padLeft: 3 }],
  ["rows of seven", sameWindow(17, 7, 64, 80, 3, 1)],
  ["asymmetric padding, tails", { ...sameWindow(2, 13, 40, 50, 3, 1), outHeight: 12, padTop: 0, padLeft: 2 }],
  ["a stem", sameWindow(2, 64, 3, 64, 7, 2)],
  ["a stem of one channel", sameWindow(3, 28, 1, 16, 3, 1)],
  ["a matrix product with a tail", sameWindow(5, 7, 300, 264, 1, 1)],
  ["a matrix product in several blocks", sameWindow(2, 28, 128, 48, 1, 1)],
  ["one tap with a stride", sameWindow(7, 14, 64, 130, 1, 2)],
  ["several blocks of rows", sameWindow(1, 40, 96, 16, 3, 1)],
  ["a long row", { ...sameWindow(2, 17, 96, 96, 1, 1), filterWidth: 7, padLeft: 3 }],
  ["a long column", { ...sameWindow(2, 17, 96, 96, 1, 1), filterHeight: 7, padTop: 3 }]
]

const toleranceOf = (w: WindowShape, pass: Pass, type: ElementType): number =>
  type === "bfloat16" ? 2 ** -8 * 1.01 : isMinimal(w, pass, type) ? 5e-6 : 1e-6

describe.skipIf(object === undefined)(`convolutions and their input gradients${skipped}`, () => {
  startThreads?.(2)
  const kinds = passes.flatMap((pass) =>
    elementTypes.flatMap((type) => {
      const supported = object?.func(`int conv_${pass}_supported(int64_t*, int)`)
      const low = type === "bfloat16" ? 1 : 0
      return supported?.(numbersOf(sameWindow(8, 8, 64, 64, 3, 1)), low) === 1 ? [[pass, type] as const] : []
    })
  )

  for (const [pass, type] of kinds)
    it.prop(
      `${pass}, ${type}: sums what the definition sums`,
      { given: randomWindow(20, channels) },
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

  it.each(elementTypes.filter((type) => kinds.some((kind) => String(kind) === `forward,${type}`)))(
    "forward, %s: writes past the caches what it writes into them",
    (type) => {
      const image = sameWindow(1, 96, 16, 64, 1, 1)
      const random = RandomStream.make(3, type)
      const source = roundedToBf16(uniform(random, lengthsOf(image).x))
      const filter = uniform(random, lengthsOf(image).filter)
      const once = compute(image, "forward", type, source, filter).subarray(0, lengthsOf(image).y)
      // 17 MB and more.
      const batch = type === "float32" ? 8 : 15
      const many = new Float32Array(batch * source.length)
      for (let at = 0; at < many.length; at += source.length) many.set(source, at)
      // Vectors are written so where 64 divides the address of the first; one of these does.
      for (let offset = 0; offset < 64; offset += 16) {
        const written = computeAt(offset, { ...image, batch }, type, many, filter)
        for (let at = 0; at < written.length; at += once.length) {
          const part = written.subarray(at, at + once.length)
          expect(bytesOf(part).equals(bytesOf(once)), `${offset}, ${at}`).toBe(true)
        }
      }
    }
  )

  it.each(kinds)("%s, %s: gives the same bits each time, and with more threads", (pass, type) => {
    const window = sameWindow(24, 16, 32, 32, 3, 1)
    const random = RandomStream.make(2, type)
    const source = roundedToBf16(uniform(random, lengthsOf(window).x))
    const filter = uniform(random, lengthsOf(window).filter)
    const first = compute(window, pass, type, source, filter)
    startThreads?.(4)
    for (let i = 0; i < 5; i++) expect(compute(window, pass, type, source, filter)).toEqual(first)
  })
})
