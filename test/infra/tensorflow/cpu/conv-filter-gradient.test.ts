/** Our filter gradient of dense convolutions against the sum that defines it. */
import { describe, expect, it } from "@effect/vitest"
import type { WindowShape } from "../../../../infra/tensorflow/CpuKernels.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { halvesOf, roundedToBf16 } from "../../../support/bfloat16.ts"
import {
  type ElementType,
  elementTypes,
  object,
  skipped,
  startThreads
} from "../../../support/kernelObject.ts"
import {
  cellsOf,
  eachTap,
  GUARD,
  numbersOf,
  randomWindow,
  type SumsOfProducts,
  sameWindow,
  uniform,
  windowOf,
  worstOf
} from "../../../support/windows.ts"

const supported = object?.func("int conv_filter_gradient_supported(int64_t*, int)")
const gradientOf = {
  float32: object?.func("void conv_filter_gradient_f32(int64_t*, float*, float*, float*)"),
  bfloat16: object?.func("void conv_filter_gradient_bf16(int64_t*, uint16_t*, uint16_t*, float*)")
}

/** The gradient in float64, and for each of its elements the sum of the products' magnitudes. */
const reference = (w: WindowShape, x: Float32Array, dy: Float32Array): SumsOfProducts => {
  const size = w.filterHeight * w.filterWidth * w.inputs * w.outputs
  const sums = new Float64Array(size)
  const magnitudes = new Float64Array(size)
  eachTap(w, (inputCell, outputCell, tap) => {
    for (let i = 0; i < w.inputs; i++)
      for (let o = 0; o < w.outputs; o++) {
        const product = (x[inputCell * w.inputs + i] ?? 0) * (dy[outputCell * w.outputs + o] ?? 0)
        const at = (tap * w.inputs + i) * w.outputs + o
        sums[at] = (sums[at] ?? 0) + product
        magnitudes[at] = (magnitudes[at] ?? 0) + Math.abs(product)
      }
  })
  return { sums, magnitudes }
}

/** What the kernel writes into memory full of NaN, after which there is more that must stay so. */
const compute = (w: WindowShape, type: ElementType, x: Float32Array, dy: Float32Array): Float32Array => {
  const size = w.filterHeight * w.filterWidth * w.inputs * w.outputs
  const gradient = new Float32Array(size + GUARD).fill(Number.NaN)
  const inputs = type === "float32" ? [x, dy] : [halvesOf(x), halvesOf(dy)]
  gradientOf[type]?.(numbersOf(w), ...inputs, gradient)
  return gradient
}

/** The largest error of an element, as a part of the magnitudes it sums; NaN if memory behind is touched. */
const worstError = (w: WindowShape, type: ElementType, random: RandomStream): number => {
  const given = [
    uniform(random, cellsOf(w).input * w.inputs),
    uniform(random, cellsOf(w).output * w.outputs)
  ] as const
  const [x, dy] = type === "float32" ? given : [roundedToBf16(given[0]), roundedToBf16(given[1])]
  return worstOf(compute(w, type, x, dy), reference(w, x, dy))
}

/** Full and partly filled vectors and tiles. */
const channels = [1, 2, 3, 7, 8, 9, 16, 17, 24, 32, 33, 48, 64, 80, 100]

/** Shapes that take several chunks, splits, blocks, and every order of taps. */
const cutShapes: ReadonlyArray<readonly [string, WindowShape]> = [
  ["few outputs, several chunks", sameWindow(24, 32, 16, 16, 3, 1)],
  ["eight channels", sameWindow(9, 16, 8, 8, 3, 1)],
  ["few inputs, bands of rows", sameWindow(3, 64, 3, 64, 7, 2)],
  ["one input", sameWindow(16, 28, 1, 16, 3, 1)],
  ["blocks of channels with a tail", sameWindow(5, 7, 300, 264, 1, 1)],
  ["one tap with a stride", sameWindow(7, 14, 64, 130, 1, 2)],
  ["bands of rows with a halo", sameWindow(2, 40, 64, 48, 3, 1)],
  ["several images in a chunk", sameWindow(33, 8, 64, 64, 3, 1)]
]

const tolerance = 3e-6

describe.skipIf(object === undefined)(`the filter gradient of convolutions${skipped}`, () => {
  startThreads?.(2)
  const types = elementTypes.filter(
    (type) => supported?.(numbersOf(sameWindow(8, 8, 64, 64, 3, 1)), type === "bfloat16" ? 1 : 0) === 1
  )

  for (const type of types)
    it.prop(
      `${type}: sums what the definition sums`,
      { given: randomWindow(12, channels) },
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
    const window = sameWindow(24, 16, 32, 32, 3, 1)
    const random = RandomStream.make(2, type)
    const x = roundedToBf16(uniform(random, 24 * 16 * 16 * 32))
    const dy = roundedToBf16(uniform(random, 24 * 16 * 16 * 32))
    const first = compute(window, type, x, dy)
    startThreads?.(4)
    for (let i = 0; i < 5; i++) expect(compute(window, type, x, dy)).toEqual(first)
  })
})
