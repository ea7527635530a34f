/** Our fused batch normalisation and its gradient against the formulas, in float64. */
import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import koffi from "koffi"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { fromHalves, halvesOf, roundedToBf16 } from "../../../support/bfloat16.ts"
import { type ElementType, object, skipped, startThreads } from "../../../support/kernelObject.ts"
import { GUARD } from "../../../support/windows.ts"

const fields = { rows: "int64_t", channels: "int64_t", type: "int", after: "int", epsilon: "float" }
koffi.struct("batch_norm_shape", fields)

const forward = object?.func(
  "void batch_norm_training(batch_norm_shape*, void*, float*, float*, void*, void*, float*, float*, float*)"
)
const inference = object?.func(
  "void batch_norm_inference(batch_norm_shape*, void*, float*, float*, float*, float*, void*, void*)"
)
const gradientInputs = "batch_norm_shape*, void*, void*, void*, float*, float*, float*, float*"
const gradients = {
  training: object?.func(`void batch_norm_gradient(${gradientInputs}, void*, float*, float*, void*)`),
  inference: object?.func(
    `void batch_norm_inference_gradient(${gradientInputs}, void*, float*, float*, void*)`
  )
}

const activations = ["none", "relu", "relu6"] as const
type Activation = (typeof activations)[number]

interface Case {
  readonly rows: number
  readonly channels: number
  readonly type: ElementType
  readonly activation: Activation
  readonly residual: boolean
  /** Whether the statistics are given. */
  readonly given: boolean
}

const EPSILON = 1e-3

const shapeOf = ({ activation, channels, rows, type }: Case) => ({
  rows,
  channels,
  type: type === "bfloat16" ? 1 : 0,
  after: activations.indexOf(activation),
  epsilon: EPSILON
})

const uniform = (random: RandomStream, count: number, low: number, high: number): Float32Array =>
  Float32Array.from({ length: count }, () => random.between(low, high))

/** What the kernels are given, in the values that the element type has. */
const inputsOf = ({ channels, rows, type }: Case, seed: number) => {
  const random = RandomStream.make(seed, "batch norm")
  const tensor = (low: number, high: number) => {
    const values = uniform(random, rows * channels, low, high)
    return type === "bfloat16" ? roundedToBf16(values) : values
  }
  return {
    x: tensor(-1, 3),
    residual: tensor(-2, 2),
    dz: tensor(-1, 1),
    gamma: uniform(random, channels, -3, 4),
    beta: uniform(random, channels, -1, 3),
    mean: uniform(random, channels, 0, 2),
    variance: uniform(random, channels, 0.5, 2)
  }
}

type CaseInputs = ReturnType<typeof inputsOf>

const packed = (type: ElementType, values: Float32Array): Float32Array | Uint16Array =>
  type === "bfloat16" ? halvesOf(values) : values
const unpacked = (values: Float32Array | Uint16Array): Float32Array =>
  values instanceof Uint16Array ? fromHalves(values) : values

/** Memory full of NaN for an output, and more of it that must stay so. */
const fresh = (type: ElementType, count: number): Float32Array | Uint16Array =>
  type === "bfloat16"
    ? new Uint16Array(count + GUARD).fill(0x7fc0)
    : new Float32Array(count + GUARD).fill(Number.NaN)

const compute = (kind: Case, inputs: CaseInputs) => {
  const { channels, residual, rows, type } = kind
  const count = rows * channels
  const shape = shapeOf(kind)
  const { beta, gamma } = inputs
  const x = packed(type, inputs.x)
  const added = residual ? packed(type, inputs.residual) : null
  const z = fresh(type, count)
  const [mean, variance, deviation] = [1, 2, 3].map(() => fresh("float32", channels))
  if (kind.given) inference?.(shape, x, gamma, beta, inputs.mean, inputs.variance, added, z)
  else forward?.(shape, x, gamma, beta, added, z, mean, variance, deviation)
  const dx = fresh(type, count)
  const [dgamma, dbeta] = [1, 2].map(() => fresh("float32", channels))
  const dresidual = residual ? fresh(type, count) : null
  const statistics = kind.given ? [inputs.mean, inputs.variance] : [mean, deviation]
  const differentiate = gradients[kind.given ? "inference" : "training"]
  const known = [shape, packed(type, inputs.dz), x, residual ? z : null, gamma, beta, ...statistics]
  differentiate?.(...known, dx, dgamma, dbeta, dresidual)
  const outputs = { z, mean, variance, dx, dgamma, dbeta, ...(dresidual && { dresidual }) }
  return Object.fromEntries(Object.entries(outputs).map(([name, values]) => [name, unpacked(values!)])) as {
    readonly [name: string]: Float32Array
  }
}

const sum = (count: number, term: (index: number) => number): number => {
  let total = 0
  for (let index = 0; index < count; index += 1) total += term(index)
  return total
}

/** One channel by the formulas; `z` as computed tells where the activation let something through. */
const reference = (kind: Case, inputs: CaseInputs, channel: number, z: Float32Array) => {
  const { activation, channels, rows } = kind
  const at = (row: number) => row * channels + channel
  const x = (row: number) => inputs.x[at(row)]!
  const mean = kind.given ? inputs.mean[channel]! : sum(rows, x) / rows
  const squares = sum(rows, (row) => (x(row) - mean) ** 2)
  const inverse = 1 / Math.sqrt((kind.given ? inputs.variance[channel]! : squares / rows) + EPSILON)
  const [low, high] = [activation === "none" ? -Infinity : 0, activation === "relu6" ? 6 : Infinity]
  const scale = inputs.gamma[channel]! * inverse
  const y = (row: number) =>
    (x(row) - mean) * scale + inputs.beta[channel]! + (kind.residual ? inputs.residual[at(row)]! : 0)
  const dy = (row: number) => (z[at(row)]! > low && z[at(row)]! < high ? inputs.dz[at(row)]! : 0)
  const dbeta = sum(rows, dy)
  const dgamma = sum(rows, (row) => dy(row) * (x(row) - mean)) * inverse
  const through = (row: number) =>
    kind.given ? 0 : dbeta / rows + (x(row) - mean) * inverse * (dgamma / rows)
  return {
    at,
    /** By how much a rounded difference from the mean grows: few rows may lie close together. */
    growth: Math.max(1, inverse),
    z: (row: number) => Math.min(Math.max(y(row), low), high),
    dx: (row: number) => scale * (dy(row) - through(row)),
    dresidual: dy,
    channel: { mean, variance: squares / Math.max(rows - 1, 1), dgamma, dbeta }
  }
}

/** The largest errors, relative to numbers above 1, of tensors and of what is summed by channel. */
const worstErrors = (kind: Case, seed: number): { tensors: number; sums: number } => {
  const inputs = inputsOf(kind, seed)
  const got = compute(kind, inputs)
  const worst = { tensors: 0, sums: 0 }
  const off = (value: number, wanted: number) => Math.abs(value - wanted) / (1 + Math.abs(wanted))
  for (let channel = 0; channel < kind.channels; channel += 1) {
    const wanted = reference(kind, inputs, channel, got.z!)
    for (const name of ["z", "dx", ...(kind.residual ? (["dresidual"] as const) : [])] as const) {
      for (let row = 0; row < kind.rows; row += 1) {
        const error = off(got[name]![wanted.at(row)]!, wanted[name](row)) / wanted.growth
        worst.tensors = Math.max(worst.tensors, error)
      }
    }
    const names = ["dgamma", "dbeta", ...(kind.given ? [] : (["mean", "variance"] as const))] as const
    for (const name of names) {
      const growth = name === "dgamma" ? wanted.growth : 1
      const error = off(got[name]![channel]!, wanted.channel[name]) / growth
      worst.sums = Math.max(worst.sums, error / Math.sqrt(kind.rows))
    }
  }
  for (const values of Object.values(got)) {
    if (!values.slice(-GUARD).every(Number.isNaN)) throw new Error("wrote past the end")
  }
  return worst
}

const RandomCase = Schema.Struct({
  rows: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 300 })),
  channels: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 140 })),
  type: Schema.Literals(["float32", "bfloat16"]),
  activation: Schema.Literals(["none", "relu"]),
  residual: Schema.Boolean,
  given: Schema.Boolean
})

/** Of a value above 1: rounding once, and here some times more. */
const tolerances = { float32: 2e-5, bfloat16: 2 ** -8 }

const expectClose = (kind: Case, seed: number): void => {
  const { sums, tensors } = worstErrors(kind, seed)
  expect(tensors).toBeLessThan(tolerances[kind.type])
  expect(sums).toBeLessThan(2e-6)
}

describe.skipIf(object === undefined)(`fused batch normalisation${skipped}`, () => {
  startThreads?.(2)

  it.prop(
    "computes what the formulas say, forward and gradient",
    { kind: RandomCase },
    // Without an activation a residual has no kernel: adding is a node of its own.
    ({ kind }) => expectClose({ ...kind, residual: kind.residual && kind.activation !== "none" }, 1),
    { arbitrary: { runs: 120, seed: 6 } }
  )

  const base = { type: "float32", activation: "relu6", residual: false, given: false } as const
  it.each([
    ["many rows of few channels", { ...base, rows: 40000, channels: 16 }],
    ["many rows, residual", { ...base, rows: 9001, channels: 24, residual: true }],
    ["a few long rows", { ...base, rows: 98, channels: 2048 }],
    ["three channels", { ...base, rows: 50001, channels: 3, given: true }],
    [
      "bfloat16 in several tasks",
      { ...base, rows: 20003, channels: 20, type: "bfloat16", activation: "relu" }
    ]
  ] as const)("%s", (_, kind) => expectClose(kind, 2))

  it("keeps its precision where the mean is far from zero", () => {
    const kind = { ...base, rows: 4096, channels: 5, activation: "none" } as const
    const inputs = inputsOf(kind, 3)
    const far = { ...inputs, x: inputs.x.map((value) => value + 1000) }
    const { variance } = compute(kind, far)
    for (let channel = 0; channel < kind.channels; channel += 1) {
      const wanted = reference(kind, far, channel, far.x).channel.variance
      expect(Math.abs(variance![channel]! / wanted - 1)).toBeLessThan(1e-5)
    }
  })

  it("hands on what is not a number", () => {
    const kind = { ...base, rows: 70, channels: 2, activation: "relu" } as const
    const inputs = inputsOf(kind, 4)
    inputs.x[6] = Number.NaN
    const { mean, z } = compute(kind, inputs)
    expect([mean![0], mean![1]].map(Number.isNaN)).toEqual([true, false])
    expect(Array.from(z!.slice(0, 140), Number.isNaN)).toEqual(
      Array.from({ length: 140 }, (_, index) => index % 2 === 0)
    )
  })

  it("gives the same bits each time, and with more threads", () => {
    const kind = { ...base, rows: 30000, channels: 16, type: "bfloat16", residual: true } as const
    const inputs = inputsOf(kind, 5)
    const bytes = () => Object.values(compute(kind, inputs)).map(({ buffer }) => Buffer.from(buffer))
    const first = bytes()
    startThreads?.(4)
    for (let run = 0; run < 5; run += 1) expect(bytes().every((b, i) => b.equals(first[i]!))).toBe(true)
  })
})
