/** Weights handed over to a runtime. */
import { setTimeout as delay } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeVariables, readVariables } from "../../../lib/train/variables.ts"
import { runtimes } from "../../support/runtimes.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

/** Larger than what V8 keeps inside of its own heap. */
const length = 1 << 16

describe("makeVariables", () => {
  for (const { layer, name, skipped } of runtimes)
    it.live.skipIf(skipped !== "")(`does not keep the arrays it was given, on ${name}${skipped}`, () =>
      Effect.gen(function* () {
        const made = Effect.suspend(() => {
          const values = new Float32Array(length).fill(3)
          const reference = new WeakRef(values)
          return Effect.map(makeVariables({ w: { shape: [length], values } }), (variables) => ({
            variables,
            reference
          }))
        })
        const { reference, variables } = yield* made
        yield* Effect.promise(() => delay(10))
        collectGarbage()
        expect(reference.deref()).toBeUndefined()
        const { w } = yield* readVariables(variables)
        expect(w!.values.at(-1)).toBe(3)
      }).pipe(Effect.scoped, Effect.provide(layer))
    )
})
