/**
 * How weights start. Every weight draws from its own random stream, so adding a layer changes no other
 * weight. Fans count the kernel's area: fan in = height x width x in, fan out = height x width x out.
 */
import { Schema } from "effect"
import type { RandomStream } from "../tensor/random.ts"
import { type InitialValues, sizeOf, type Weight, type WeightSpec, type Weights } from "./Weights.ts"

/**
 * - `torch-default`: uniform within 1/sqrt(fan in), biases too: what PyTorch does when nothing is said
 * - `he-normal-fan-out`, `he-normal-fan-in`: normal of variance 2/fan (He et al. 2015); biases 0
 * - `xavier-uniform`, the paper's: within sqrt(6 / (fan in + fan out)) (Glorot & Bengio 2010); biases 0
 * - `msra-prelu`, of GluonCV's training script, and so of its published weights: normal of variance
 *   2/(1 + 0.25²)/fan (He et al. 2015, eq. 15, a PReLU of slope 1/4), with the mean of both fans; biases 0
 */
export const Initializer = Schema.Literals([
  "torch-default",
  "he-normal-fan-out",
  "he-normal-fan-in",
  "xavier-uniform",
  "msra-prelu"
])
export type Initializer = typeof Initializer.Type

export interface InitializationOptions {
  /**
   * Whether scales that close the branch of a residual block start at 0, so that the network begins as its
   * shortcuts alone (Goyal et al. 2017, arXiv 1706.02677, §5.1; He et al. 2018, §3.1).
   */
  readonly zeroGamma?: boolean
}

/**
 * Fresh weights for all `specs`, by the initializer where a spec does not say how its weight starts; `random`
 * is the stream of the whole network (seed and purpose).
 */
export const initializeWeights = (
  specs: ReadonlyArray<WeightSpec>,
  initializer: Initializer,
  random: RandomStream,
  { zeroGamma = false }: InitializationOptions = {}
): Weights => {
  const zero = { kind: "constant", value: 0 } as const
  return Object.fromEntries(
    specs.map((spec) => {
      const started = zeroGamma && spec.closesBranch === true ? { ...spec, initial: zero } : spec
      return [spec.name, initialWeight(started, initializer, random.derive(spec.name))]
    })
  )
}

const initialWeight = (spec: WeightSpec, initializer: Initializer, random: RandomStream): Weight => {
  const { initial, role, shape } = spec
  const draw =
    initial !== undefined
      ? givenDraw(initial, random)
      : role === "kernel"
        ? kernelDraw(shape, initializer, random)
        : otherDraw(spec, initializer, random)
  return { shape, values: Float32Array.from({ length: sizeOf(shape) }, draw) }
}

const givenDraw = (initial: InitialValues, random: RandomStream): (() => number) =>
  initial.kind === "constant" ? () => initial.value : () => random.gaussian() * initial.deviation

/** What to call for each number of a kernel `[…, in, out]`. */
const kernelDraw = (
  shape: ReadonlyArray<number>,
  initializer: Initializer,
  random: RandomStream
): (() => number) => {
  const area = sizeOf(shape.slice(0, -2))
  const fanIn = area * shape.at(-2)!
  const fanOut = area * shape.at(-1)!
  const uniform = (bound: number) => () => random.between(-bound, bound)
  const normal = (deviation: number) => () => random.gaussian() * deviation
  switch (initializer) {
    case "torch-default":
      return uniform(1 / Math.sqrt(fanIn))
    case "he-normal-fan-out":
      return normal(Math.sqrt(2 / fanOut))
    case "he-normal-fan-in":
      return normal(Math.sqrt(2 / fanIn))
    case "xavier-uniform":
      return uniform(Math.sqrt(6 / (fanIn + fanOut)))
    case "msra-prelu":
      return normal(Math.sqrt(2 / (1 + 0.25 ** 2) / ((fanIn + fanOut) / 2)))
  }
}

/** Normalisations start as the identity, biases at 0 (or as PyTorch's). */
const otherDraw = (spec: WeightSpec, initializer: Initializer, random: RandomStream): (() => number) => {
  if (spec.role === "scale" || spec.role === "running-variance") return () => 1
  if (spec.role === "bias" && initializer === "torch-default" && spec.fanIn !== undefined) {
    const bound = 1 / Math.sqrt(spec.fanIn)
    return () => random.between(-bound, bound)
  }
  return () => 0
}
