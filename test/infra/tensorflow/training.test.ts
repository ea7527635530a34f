/** The same training steps on both runtimes and in both precisions. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { tf } from "../../../lib/tensor/tf.ts"
import { native, portable } from "../../support/runtimes.ts"
import { train } from "./residual-net.ts"

const STEPS = 5

const largestDifference = (a: ReadonlyArray<Float32Array>, b: ReadonlyArray<Float32Array>): number =>
  Math.max(...a.flatMap((values, index) => Array.from(values, (value, i) => Math.abs(value - b[index]![i]!))))

describe(`training a residual net${native.skipped}`, () => {
  it.effect.skipIf(native.skipped !== "")("agrees between native and portable runtime", () =>
    Effect.gen(function* () {
      const fast = yield* Effect.provide(train("float32", STEPS), native.layer)
      const slow = yield* Effect.provide(train("float32", STEPS), portable.layer)
      expect(fast.losses[STEPS - 1]).toBeLessThan(fast.losses[0]! * 0.9)
      fast.losses.forEach((loss, index) => {
        expect(Math.abs(loss - slow.losses[index]!)).toBeLessThan(1e-4)
      })
      // Rounding differs in the last bits, and five steps of a batch-normalised net amplify it.
      expect(largestDifference(fast.values, slow.values)).toBeLessThan(1e-3)
    })
  )

  it.effect.skipIf(native.skipped !== "")("is close to float32 in bfloat16, and not equal", () =>
    Effect.gen(function* () {
      const exact = yield* Effect.provide(train("float32", STEPS), native.layer)
      const low = yield* Effect.provide(train("bfloat16", STEPS), native.layer)
      low.losses.forEach((loss, index) => {
        expect(Math.abs(loss - exact.losses[index]!)).toBeLessThan(0.05 * exact.losses[index]!)
      })
      expect(low.losses).not.toEqual(exact.losses)
    })
  )

  for (const precision of ["float32", "bfloat16"] as const) {
    it.effect.skipIf(native.skipped !== "")(`gives the same bits twice in ${precision}`, () =>
      Effect.gen(function* () {
        const first = yield* Effect.provide(train(precision, STEPS), native.layer)
        const second = yield* Effect.provide(train(precision, STEPS), native.layer)
        expect(second.losses).toEqual(first.losses)
        expect(second.values).toEqual(first.values)
      })
    )
  }

  it.effect("leaves no tensors behind on the portable runtime", () =>
    Effect.gen(function* () {
      yield* train("float32", 1)
      const before = tf.memory().numTensors
      yield* train("float32", 2)
      expect(tf.memory().numTensors).toBe(before)
    }).pipe(Effect.provide(portable.layer))
  )
})
