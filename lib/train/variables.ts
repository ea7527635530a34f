/** Weights ↔ tfjs variables, which live as long as an Effect scope. */
import { Effect, type Scope } from "effect"
import type { Weights } from "../nn/Weights.ts"
import { type TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import { tf } from "../tensor/tf.ts"

export type Variables = Readonly<Record<string, tf.Variable>>

/** Variables holding these weights; they are disposed of when the scope closes. */
export const makeVariables = (weights: Weights): Effect.Effect<Variables, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      Object.fromEntries(
        Object.entries(weights).map(([name, { shape, values }]) => {
          // A copy: some backends keep the array they are given, and the caller's weights must not move.
          const initial = tf.tensor(values.slice(), [...shape])
          const variable = tf.variable(initial)
          initial.dispose()
          return [name, variable]
        })
      )
    ),
    (variables) =>
      Effect.sync(() => {
        for (const variable of Object.values(variables)) variable.dispose()
      })
  )

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
