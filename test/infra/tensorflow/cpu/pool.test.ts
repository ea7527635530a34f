/** Our max and average pooling and their gradients against their definitions. */
import { describe, expect, it } from "@effect/vitest"
import type { WindowShape } from "../../../../infra/tensorflow/CpuKernels.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { fromHalves, halvesOf } from "../../../support/bfloat16.ts"
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
  squareWindow
} from "../../../support/windows.ts"

type Kind = "max" | "average"
type Arrays = ReadonlyArray<Float32Array>

const functionOf = (kind: Kind, pass: "forward" | "gradient", type: ElementType) => {
  const [suffix, element] = [suffixes[type], pointers[type]]
  const inputs = kind === "max" && pass === "gradient" ? [element, element] : [element]
  return object?.func(`void ${kind}_pool_${pass}_${suffix}(${["int64_t*", ...inputs, element].join(", ")})`)
}

const kinds = (["max", "average"] as const).flatMap((kind) =>
  elementTypes.map((type) => ({
    kind,
    type,
    forward: functionOf(kind, "forward", type),
    gradient: functionOf(kind, "gradient", type)
  }))
)

type Pooling = (typeof kinds)[number]

/** Each window's greatest element and where it lies, and the sum and number of its elements. */
const windowsOf = (w: WindowShape, x: Float32Array) => {
  const length = cellsOf(w).output * w.inputs
  const greatest = new Float64Array(length).fill(Number.NEGATIVE_INFINITY)
  const [places, sums, counts] = [new Int32Array(length), new Float64Array(length), new Float64Array(length)]
  eachTap(w, (inputCell, outputCell) => {
    for (let c = 0; c < w.inputs; c++) {
      const [from, to] = [inputCell * w.inputs + c, outputCell * w.inputs + c]
      const value = x[from]!
      sums[to] = sums[to]! + value
      counts[to] = counts[to]! + 1
      if (value <= greatest[to]!) continue
      greatest[to] = value
      places[to] = from
    }
  })
  return { greatest, places, sums, counts }
}

const reference = (w: WindowShape, kind: Kind, x: Float32Array, dy: Float32Array) => {
  const { counts, greatest, places, sums } = windowsOf(w, x)
  const dx = new Float64Array(x.length)
  if (kind === "max") {
    // A window without cells has no place.
    dy.forEach((value, at) => {
      if (counts[at]! > 0) dx[places[at]!] = dx[places[at]!]! + value
    })
    return { y: greatest, dx }
  }
  eachTap(w, (inputCell, outputCell) => {
    for (let c = 0; c < w.inputs; c++) {
      const [to, from] = [inputCell * w.inputs + c, outputCell * w.inputs + c]
      dx[to] = dx[to]! + dy[from]! / counts[from]!
    }
  })
  return { y: sums.map((sum, at) => (counts[at] === 0 ? 0 : sum / counts[at]!)), dx }
}

/** What a kernel writes into memory full of NaN, after which there is more that must stay so. */
const compute = (
  call: Pooling["forward"],
  type: ElementType,
  w: WindowShape,
  inputs: Arrays,
  length: number
): Float32Array => {
  if (type === "float32") {
    const written = new Float32Array(length + GUARD).fill(Number.NaN)
    call?.(numbersOf(w), ...inputs, written)
    return written
  }
  const written = new Uint16Array(length + GUARD).fill(0x7fc0)
  call?.(numbersOf(w), ...inputs.map(halvesOf), written)
  return fromHalves(written)
}

/** Few different values, so that windows have several greatest elements; all exact in bfloat16. */
const eighths = (random: RandomStream, length: number): Float32Array =>
  Float32Array.from({ length }, () => Math.round(random.between(-16, 16)) / 8)

const run = ({ forward, gradient, kind, type }: Pooling, w: WindowShape, seed: string) => {
  const random = RandomStream.make(20261124, seed)
  const x = eighths(random, cellsOf(w).input * w.inputs)
  const dy = eighths(random, cellsOf(w).output * w.inputs)
  return {
    expected: reference(w, kind, x, dy),
    y: compute(forward, type, w, [x], dy.length),
    dx: compute(gradient, type, w, kind === "max" ? [x, dy] : [dy], x.length)
  }
}

/** The largest error of an element; NaN if memory behind is touched. */
const worstError = (expected: Float64Array, written: Float32Array): number => {
  if (written.subarray(expected.length).some((value) => !Number.isNaN(value))) return Number.NaN
  return expected.reduce((worst, value, at) => {
    const error = written[at] === value ? 0 : Math.abs((written[at] ?? Number.NaN) - value)
    const relative = error / (1 + Math.abs(value))
    return relative <= worst ? worst : relative
  }, 0)
}

const tolerances = { float32: 1e-6, bfloat16: 2 ** -8 }

/** Shapes of networks that we train, with fewer images and channels. */
const shapes: ReadonlyArray<readonly [string, WindowShape]> = [
  ["a stem's", squareWindow(2, 56, 32, 3, 2, 1)],
  ["a valid one", squareWindow(2, 35, 48, 3, 2, 0)],
  ["one of the same size", squareWindow(2, 17, 40, 3, 1, 1)],
  ["a whole image", squareWindow(3, 7, 96, 7, 1, 0)],
  ["quarters", squareWindow(2, 12, 33, 2, 2, 0)]
]

describe.skipIf(object === undefined)(`pooling${skipped}`, () => {
  startThreads?.(2)
  const supported = object?.func("int pool_supported(int64_t*, int)")
  const window = numbersOf(squareWindow(1, 8, 32, 3, 2, 1))
  const taken = kinds.filter(({ type }) => supported?.(window, type === "bfloat16" ? 1 : 0) === 1)

  for (const pooling of taken)
    it.prop(
      `${pooling.kind}, ${pooling.type}: takes what the definition takes, forth and back`,
      { given: RandomChannelWindow },
      ({ given }) => {
        const { dx, expected, y } = run(pooling, channelWindowOf(given), pooling.type)
        expect(worstError(expected.y, y)).toBeLessThan(tolerances[pooling.type])
        expect(worstError(expected.dx, dx)).toBeLessThan(tolerances[pooling.type])
      },
      { arbitrary: { runs: 150, seed: 6 } }
    )

  const cases = taken.flatMap((pooling) =>
    shapes.map(([name, shape]) => ({ title: `${pooling.kind}, ${pooling.type}: ${name}`, pooling, shape }))
  )
  it.each(cases)("$title", ({ pooling, shape, title }) => {
    const { dx, expected, y } = run(pooling, shape, title)
    expect(worstError(expected.y, y)).toBeLessThan(tolerances[pooling.type])
    expect(worstError(expected.dx, dx)).toBeLessThan(tolerances[pooling.type])
  })

  it.each(taken)("$kind, $type: gives the same bits each time, and with more threads", (pooling) => {
    const first = run(pooling, squareWindow(6, 24, 40, 3, 2, 1), "again")
    startThreads?.(4)
    for (let i = 0; i < 5; i++) {
      const again = run(pooling, squareWindow(6, 24, 40, 3, 2, 1), "again")
      expect([again.y, again.dx]).toEqual([first.y, first.dx])
    }
  })
})
