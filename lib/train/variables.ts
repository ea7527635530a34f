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
  const entries = Effect.forEach(Object.entries(weights), ([name, { shape, values }]) =>
    Effect.map(runtime.variable(values, shape), (variable) => [name, variable] as const)
  )
  return yield* Effect.acquireRelease(Effect.map(entries, Object.fromEntries), (variables: Variables) =>
    Effect.sync(() => {
      for (const variable of Object.values(variables)) variable.dispose()
    })
  )
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
