/** Variables of the process for as long as an effect runs. */
import { Effect } from "effect"

type Variables = { readonly [name: string]: string | undefined }

const set = (variables: Variables): void => {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}

/** `undefined` takes one away. */
export const withEnvironment =
  (variables: Variables) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]))
        set(variables)
        return before
      }),
      () => effect,
      (before) => Effect.sync(() => set(before))
    )
