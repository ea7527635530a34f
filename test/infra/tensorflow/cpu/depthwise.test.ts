/** Our depthwise convolutions and both their gradients against the sums that define them. */
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
  channelWindowOf,
  eachTap,
  GUARD,
  numbersOf,
  RandomChannelWindow,
  squareWindow,
  uniform,
  worstOf
} from "../../../support/windows.ts"

type Pass = "forward" | "input_gradient" | "filter_gradient"
const passes: ReadonlyArray<Pass> = ["forward", "input_gradient", "filter_gradient"]

const functionOf = (pass: Pass, type: ElementType) => {
  const [suffix, element] = [suffixes[type], pointers[type]]
  const [second, out] = pass === "filter_gradient" ? [element, "float*"] : ["float*", element]
  return object?.func(`void depthwise_${pass}_${suffix}(int64_t*, ${element}, ${second}, ${out})`)
}

const functions = new Map(
  passes.flatMap((pass) => elementTypes.map((type) => [`${pass} ${type}`, functionOf(pass, type)] as const))
)

/** Activations read, what goes with them (the filter, or `dy`), and the length of the result. */
const lengthsOf = (w: WindowShape, pass: Pass): readonly [first: number, second: number, result: number] => {
  const [x, y] = [cellsOf(w).input * w.inputs, cellsOf(w).output * w.inputs]
  const filter = w.filterHeight * w.filterWidth * w.inputs
  if (pass === "forward") return [x, filter, y]
  return pass === "input_gradient" ? [y, filter, x] : [x, y, filter]
}

/** The result in float64, and for each of its elements the sum of the products' magnitudes. */
const reference = (w: WindowShape, pass: Pass, first: Float32Array, second: Float32Array) => {
  const sums = new Float64Array(lengthsOf(w, pass)[2])
  const magnitudes = new Float64Array(sums.length)
  const at = { forward: [0, 2, 1], input_gradient: [1, 2, 0], filter_gradient: [0, 1, 2] }[pass]
  eachTap(w, (...cells) => {
    for (let c = 0; c < w.inputs; c++) {
      const [from, by, to] = at.map((place) => cells[place]! * w.inputs + c)
      const product = first[from!]! * second[by!]!
      sums[to!] = sums[to!]! + product
      magnitudes[to!] = magnitudes[to!]! + Math.abs(product)
    }
  })
  return { sums, magnitudes }
}

/** What the kernel writes into memory full of NaN, after which there is more that must stay so. */
const compute = (
  w: WindowShape,
  pass: Pass,
  type: ElementType,
  first: Float32Array,
  second: Float32Array
) => {
  const length = lengthsOf(w, pass)[2] + GUARD
  const given = type === "float32" ? first : halvesOf(first)
  const withIt = type === "bfloat16" && pass === "filter_gradient" ? halvesOf(second) : second
  const call = functions.get(`${pass} ${type}`)
  if (type === "float32" || pass === "filter_gradient") {
    const written = new Float32Array(length).fill(Number.NaN)
    call?.(numbersOf(w), given, withIt, written)
    return written
  }
  const written = new Uint16Array(length).fill(0x7fc0)
  call?.(numbersOf(w), given, withIt, written)
  return fromHalves(written)
}

type Activations = Float32Array | Uint16Array

/** So many images one after another. */
const repeated = <A extends Activations>(image: A, many: A): A => {
  for (let start = 0; start < many.length; start += image.length) many.set(image as never, start)
  return many
}

const bytesOf = ({ buffer, byteLength, byteOffset }: Activations): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)

const inputsFor = (w: WindowShape, pass: Pass, random: RandomStream) => {
  const [first, second] = lengthsOf(w, pass)
  return [roundedToBf16(uniform(random, first)), roundedToBf16(uniform(random, second))] as const
}

/** The largest error of an element, as a part of the magnitudes it sums; NaN if memory behind is touched. */
const worstError = (w: WindowShape, pass: Pass, type: ElementType, random: RandomStream): number => {
  const [first, second] = inputsFor(w, pass, random)
  return worstOf(compute(w, pass, type, first, second), reference(w, pass, first, second))
}

const toleranceOf = (pass: Pass, type: ElementType): number =>
  type === "float32" || pass === "filter_gradient" ? 2e-6 : 2 ** -8 * 1.01

/** Shapes of networks that we train, with fewer images and channels. */
const shapes: ReadonlyArray<readonly [string, WindowShape]> = [
  ["many columns", squareWindow(2, 56, 32, 3, 1, 1)],
  ["many columns, halved", squareWindow(2, 56, 48, 3, 2, 1)],
  ["rows of fourteen", squareWindow(3, 14, 96, 3, 1, 1)],
  ["rows of seven", squareWindow(5, 7, 160, 3, 1, 1)],
  ["rows of seven, halved", squareWindow(5, 7, 64, 3, 2, 1)],
  ["five taps", squareWindow(2, 14, 40, 5, 1, 2)]
]

describe.skipIf(object === undefined)(`depthwise convolutions and their gradients${skipped}`, () => {
  startThreads?.(2)
  const supported = object?.func("int depthwise_supported(int64_t*, int)")
  const window = numbersOf(squareWindow(1, 8, 32, 3, 1, 1))
  const kinds = ([0, 1] as const)
    .filter((low) => supported?.(window, low) === 1)
    .flatMap((low) => passes.map((pass) => [pass, low === 1 ? "bfloat16" : "float32"] as const))

  for (const [pass, type] of kinds)
    it.prop(
      `${pass}, ${type}: sums what the definition sums`,
      { given: RandomChannelWindow },
      ({ given }) => {
        const random = RandomStream.make(20261124, type)
        expect(worstError(channelWindowOf(given), pass, type, random)).toBeLessThan(toleranceOf(pass, type))
      },
      { arbitrary: { runs: 150, seed: 6 } }
    )

  const cases = kinds.flatMap((kind) => shapes.map(([name, shape]) => [...kind, name, shape] as const))
  it.each(cases)("%s, %s: %s", (pass, type, name, shape) => {
    expect(worstError(shape, pass, type, RandomStream.make(1, name))).toBeLessThan(toleranceOf(pass, type))
  })

  it.each(kinds)("%s, %s: gives the same bits each time, and with more threads", (pass, type) => {
    const shape = squareWindow(6, 24, 40, 3, 1, 1)
    const [first, second] = inputsFor(shape, pass, RandomStream.make(2, type))
    const before = compute(shape, pass, type, first, second)
    startThreads?.(4)
    for (let i = 0; i < 5; i++) expect(compute(shape, pass, type, first, second)).toEqual(before)
  })

  it.each(kinds.filter(([pass]) => pass !== "filter_gradient"))(
    "%s, %s: writes past the caches what it writes into them",
    (pass, type) => {
      const image = squareWindow(1, 96, 96, 3, 1, 1)
      const [first, filter] = inputsFor(image, pass, RandomStream.make(3, type))
      // 17 MB and more.
      const images = type === "float32" ? 5 : 10
      const call = functions.get(`${pass} ${type}`)
      const [source, room] =
        type === "float32"
          ? [first, new Float32Array(images * first.length)]
          : [halvesOf(first), new Uint16Array(images * first.length)]
      const once = source.slice()
      call?.(numbersOf(image), source, filter, once)
      const many = repeated(source, room)
      // Vectors are written so where 64 divides the address of the first; one of these does.
      for (let offset = 0; offset < 64; offset += 16) {
        const memory = new ArrayBuffer(offset + many.byteLength)
        const written =
          type === "float32" ? new Float32Array(memory, offset) : new Uint16Array(memory, offset)
        call?.(numbersOf({ ...image, batch: images }), many, filter, written)
        for (let start = 0; start < written.length; start += once.length) {
          const part = written.subarray(start, start + once.length)
          expect(bytesOf(part).equals(bytesOf(once)), `${offset}, ${start}`).toBe(true)
        }
      }
    }
  )
})
