/** Runs a loss and its gradient as a step of a tensor runtime, for comparison with formulas in double. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { type Feed, type Precision, TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { tf } from "../../lib/tensor/tf.ts"

export interface LossCase {
  /** What the gradient is for. */
  readonly at: { readonly shape: ReadonlyArray<number>; readonly values: ArrayLike<number> }
  /** Constants of the loss; `Int32Array`s become int32 tensors. */
  readonly given: Readonly<Record<string, { readonly shape: ReadonlyArray<number>; readonly values: Feed }>>
  readonly loss: (x: tf.Tensor, given: Readonly<Record<string, tf.Tensor>>) => tf.Scalar
  /** "float32" if not said. */
  readonly precision?: Precision
}

/** The loss and its gradient, flat. */
export const lossAndGradient = Effect.fnUntraced(function* ({ at, given, loss, ...rest }: LossCase) {
  const runtime = yield* TensorRuntime
  const constants = Object.entries(given).map(([name, { shape, values }]) => {
    const dtype = values instanceof Int32Array ? ("int32" as const) : ("float32" as const)
    return [name, { shape, dtype }] as const
  })
  const compiled = yield* runtime.jit(
    (inputs: { readonly [name: string]: tf.Tensor }) => {
      const { value, grad } = tf.valueAndGrad((x) => tf.mul(loss(x, inputs), SCALE))(inputs.x!)
      return { loss: value, gradient: grad }
    },
    {
      inputs: { ...Object.fromEntries(constants), x: { shape: at.shape, dtype: "float32" } },
      precision: rest.precision ?? "float32"
    }
  )
  const feeds = Object.fromEntries(Object.entries(given).map(([name, { values }]) => [name, values]))
  const fetched = yield* compiled.run({ ...feeds, x: Float32Array.from(at.values) })
  return { loss: fetched.loss[0]! / SCALE, gradient: fetched.gradient.map((value) => value / SCALE) }
}, Effect.scoped)

/** What follows a loss scales its gradient: a loss that forgot to would show. */
const SCALE = 4

/** Compares a gradient, element by element, with central differences of a formula in double precision. */
export const assertSlopes = (
  gradient: ArrayLike<number>,
  at: ReadonlyArray<number>,
  formula: (values: ReadonlyArray<number>) => number,
  tolerance: number
): void => {
  const step = 1e-5
  assert.strictEqual(gradient.length, at.length)
  at.forEach((_, index) => {
    const moved = (by: number) => formula(at.map((value, place) => (place === index ? value + by : value)))
    const slope = (moved(step) - moved(-step)) / (2 * step)
    assert.approximately(gradient[index]!, slope, tolerance * Math.max(1, Math.abs(slope)), `slope ${index}`)
  })
}
