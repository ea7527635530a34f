/** Weights ↔ tfjs variables, which live as long as an Effect scope. */
import { Effect, type Scope } from "effect"
import type { Weights } from "../nn/Weights.ts"
import { type TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import type { tf } from "../tensor/tf.ts"

export type Variables = Readonly<Record<string, tf.Variable>>

/** Variables holding these weights; they are disposed of when the scope closes. */
export const makeVariables = Effect.fn("makeVariables")(function* (
  weights: Weights
): Effect.fn.Return<Variables, never, Scope.Scope | TensorRuntime> {
  const runtime = yield* TensorRuntime
  const variables: Record<string, tf.Variable> = {}
  // Made after it, since a finalizer that knew of the weights would keep their values until the scope closes.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const variable of Object.values(variables)) variable.dispose()
    })
  )
  for (const [name, { shape, values }] of Object.entries(weights)) {
    variables[name] = yield* runtime.variable(values, shape)
  }
  return variables
})

/** What the variables hold now. */
export const readVariables = Effect.fn("readVariables")(function* (
  variables: Variables
): Effect.fn.Return<Weights, TensorError, TensorRuntime> {
  const runtime = yield* TensorRuntime
  const values = yield* runtime.read(Object.values(variables))
  return Object.fromEntries(
    Object.entries(variables).map(([name, variable], index) => [
      name,
      // A copy again: a backend may hand out the very array it keeps.
      { shape: [...variable.shape], values: values[index]!.slice() }
    ])
  )
})
