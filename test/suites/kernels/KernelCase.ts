/** One use of one operation: the inputs it gets, and what it is compared with. */
import type { RandomStream } from "../../../lib/tensor/random.ts"
import type { tf } from "../../../lib/tensor/tf.ts"

export interface CaseInput {
  readonly shape: ReadonlyArray<number>
  readonly dtype: "float32" | "int32" | "bool"
  /** The values in order of rows. */
  readonly draw: (random: RandomStream, count: number) => ArrayLike<number>
}

export type Operation = (...inputs: Array<never>) => tf.Tensor | ReadonlyArray<tf.Tensor>

export interface KernelCase {
  readonly name: string
  readonly inputs: ReadonlyArray<CaseInput>
  readonly apply: Operation
  /** The same written with operations that the pure JS backend does right; left out, `apply` is run there. */
  readonly reference?: Operation
  /**
   * What the gradient into every float32 input is compared with: the reference's own, or the slope of the
   * forward pass where the pure JS backend has none or a wrong one.
   */
  readonly gradient: "reference" | "slope" | "none"
  /** Computed in bfloat16 as well, where the implementation does that. */
  readonly heavy?: true
}

const input = (
  shape: ReadonlyArray<number>,
  dtype: CaseInput["dtype"],
  draw: CaseInput["draw"]
): CaseInput => ({ shape, dtype, draw })

const each = (draw: (random: RandomStream) => number): CaseInput["draw"] => {
  return (random, length) => Array.from({ length }, () => draw(random))
}

/** Normally distributed. */
export const normal = (...shape: ReadonlyArray<number>): CaseInput =>
  input(
    shape,
    "float32",
    each((random) => random.gaussian())
  )

/** Uniform, for functions that are not defined everywhere. */
export const between = (low: number, high: number, shape: ReadonlyArray<number>): CaseInput =>
  input(
    shape,
    "float32",
    each((random) => random.between(low, high))
  )

/** Evenly spaced in random order, none at a multiple of the spacing: clear of kinks, steps and ties. */
export const spaced = (shape: ReadonlyArray<number>, spacing = 0.1): CaseInput =>
  input(shape, "float32", (random, count) =>
    Array.from(random.permutation(count), (place) => (place - Math.floor(count / 2) + 0.5) * spacing)
  )

/** Whole numbers from `low` to `high - 1`. */
export const whole = (low: number, high: number, shape: ReadonlyArray<number>): CaseInput =>
  input(
    shape,
    "int32",
    each((random) => low + random.below(high - low))
  )

export const flags = (...shape: ReadonlyArray<number>): CaseInput =>
  input(
    shape,
    "bool",
    each((random) => random.below(2))
  )

/** Given values. */
export const exactly = (
  values: ReadonlyArray<number>,
  shape: ReadonlyArray<number> = [values.length],
  dtype: CaseInput["dtype"] = "float32"
): CaseInput => input(shape, dtype, () => values)

/** What floating point has besides numbers, among numbers. */
export const extremes: CaseInput = exactly([
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  1.5,
  -2.5,
  7
])
