/** Separable convolutions in one go give the bits that their halves give one after the other. */
import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import koffi from "koffi"
import type { WindowShape } from "../../../../infra/tensorflow/CpuKernels.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { halvesOf } from "../../../support/bfloat16.ts"
import {
  type ElementType,
  elementTypes,
  object,
  skipped,
  startThreads
} from "../../../support/kernelObject.ts"
import {
  cellsOf,
  channelWindowOf,
  GUARD,
  numbersOf,
  RandomChannelWindow,
  sameWindow,
  uniform
} from "../../../support/windows.ts"

const Finish = koffi.struct({
  scale: "float*",
  shift: "float*",
  residual: "void*",
  low: "float",
  high: "float"
})
const Filters = koffi.struct({ depthwise: "float*", pointwise: "float*", between: Finish, after: Finish })

const [finish, filters] = [koffi.pointer(Finish), koffi.pointer(Filters)]

const depthwise = object?.func("depthwise_forward_finished", "void", [
  ...["int64_t*", "void*", "float*", "void*", "int"],
  finish
])
const dense = object?.func("conv_forward", "void", [
  ...["int64_t*", "void*", "float*", "void*", "int", "void*"],
  finish
])
const separable = object?.func("separable_forward", "void", [
  ...["int64_t*", "void*"],
  filters,
  ...["void*", "int", "void*"]
])

type Activations = Float32Array | Uint16Array

const activations = (type: ElementType, length: number): Activations =>
  type === "float32" ? new Float32Array(length).fill(Number.NaN) : new Uint16Array(length).fill(0x7fc0)

const drawn = (random: RandomStream, type: ElementType, length: number): Activations => {
  const values = uniform(random, length)
  return type === "float32" ? values : halvesOf(values)
}

/** Numbers for whole panels of 32 channels. */
const randomFinish = (random: RandomStream, channels: number, residual: Activations | null) => {
  const padded = Math.ceil(channels / 32) * 32
  const [scale, shift] = [uniform(random, padded), uniform(random, padded)]
  return { scale, shift, residual, low: 0, high: 6 }
}

const inputsFor = (w: WindowShape, type: ElementType, hasResidual: boolean) => {
  const random = RandomStream.make(20261130, type)
  const length = cellsOf(w).output * w.outputs
  return {
    x: drawn(random, type, cellsOf(w).input * w.inputs),
    depthwise: uniform(random, w.filterHeight * w.filterWidth * w.inputs),
    pointwise: uniform(random, w.inputs * w.outputs),
    between: randomFinish(random, w.inputs, null),
    after: randomFinish(random, w.outputs, hasResidual ? drawn(random, type, length) : null)
  }
}
type Inputs = ReturnType<typeof inputsFor>

/** What is written into memory full of NaN. */
const together = (w: WindowShape, type: ElementType, { x, ...given }: Inputs): Activations => {
  const z = activations(type, cellsOf(w).output * w.outputs + GUARD)
  separable?.(numbersOf(w), x, given, z, type === "float32" ? 0 : 1, null)
  return z
}

const oneAfterTheOther = (w: WindowShape, type: ElementType, given: Inputs): Activations => {
  const low = type === "float32" ? 0 : 1
  const [half, z] = [w.inputs, w.outputs].map((channels) =>
    activations(type, cellsOf(w).output * channels + GUARD)
  )
  depthwise?.(numbersOf({ ...w, outputs: w.inputs }), given.x, given.depthwise, half, low, given.between)
  const single = { filterHeight: 1, filterWidth: 1, strideHeight: 1, strideWidth: 1, padTop: 0, padLeft: 0 }
  const pointwise = { ...w, ...single, height: w.outHeight, width: w.outWidth }
  dense?.(numbersOf(pointwise), half, given.pointwise, z, low, null, given.after)
  return z as Activations
}

const bytesOf = ({ buffer, byteLength, byteOffset }: Activations): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)

const expectSameBits = (w: WindowShape, type: ElementType, hasResidual: boolean): void => {
  const given = inputsFor(w, type, hasResidual)
  const wanted = oneAfterTheOther(w, type, given)
  expect(bytesOf(together(w, type, given)).equals(bytesOf(wanted))).toBe(true)
}

/** Shapes of MobileNets: several blocks, panels and tails; few blocks, whose pixels are made beforehand. */
const shapes: ReadonlyArray<readonly [string, WindowShape]> = [
  ["wide rows", { ...sameWindow(2, 56, 32, 32, 3, 1), outputs: 64 }],
  ["wide rows, halved", { ...sameWindow(1, 57, 48, 48, 3, 2), outputs: 40 }],
  ["few pixels, many outputs", { ...sameWindow(1, 14, 96, 96, 3, 1), outputs: 200 }],
  ["rows of seven", { ...sameWindow(1, 7, 1024, 1024, 3, 1), outputs: 80 }],
  ["rows of seven across images", { ...sameWindow(9, 7, 160, 160, 3, 1), outputs: 96 }],
  ["rows of seven, halved from fourteen", { ...sameWindow(3, 14, 64, 64, 3, 2), outputs: 33 }],
  ["five taps", { ...sameWindow(2, 14, 40, 40, 5, 1), outputs: 24 }]
]

const RandomSeparable = Schema.Struct({
  window: RandomChannelWindow,
  outputs: Schema.Literals([1, 3, 16, 17, 32, 33, 64, 80]),
  hasResidual: Schema.Boolean
})

describe.skipIf(object === undefined)(`separable convolutions${skipped}`, () => {
  startThreads?.(2)
  const supported = object?.func("int separable_supported(int64_t*, int)")
  const window = numbersOf(sameWindow(1, 8, 32, 32, 3, 1))
  const types = elementTypes.filter((type) => supported?.(window, type === "float32" ? 0 : 1) === 1)

  for (const type of types)
    it.prop(
      `${type}: random windows`,
      { given: RandomSeparable },
      ({ given: { hasResidual, outputs, window } }) =>
        expectSameBits({ ...channelWindowOf(window), outputs }, type, hasResidual),
      { arbitrary: { runs: 150, seed: 6 } }
    )

  const cases = types.flatMap((type) => shapes.map(([name, shape]) => [type, name, shape] as const))
  it.each(cases)("%s: %s", (type, _name, shape) => expectSameBits(shape, type, true))

  it.each(types)("%s: the same bits each time, and with more threads", (type) => {
    const shape = { ...sameWindow(1, 14, 64, 64, 3, 1), outputs: 128 }
    const given = inputsFor(shape, type, false)
    const first = bytesOf(together(shape, type, given))
    startThreads?.(4)
    for (let i = 0; i < 5; i++) expect(bytesOf(together(shape, type, given)).equals(first)).toBe(true)
  })
})
