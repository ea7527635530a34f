/**
 * What every backend that steps run on promises: each operation gives what tfjs's pure JS backend gives,
 * forward and backward.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { type TensorError, TensorRuntime, type TensorSpec } from "../../lib/tensor/Runtime.ts"
import type { tf } from "../../lib/tensor/tf.ts"
import type { NamedRuntime } from "../support/runtimes.ts"
import {
  type Arrays,
  drawInputs,
  onPureJs,
  slopeOf,
  stepOf,
  type Values,
  watchKernels
} from "./kernels/evaluate.ts"
import { groups } from "./kernels/groups.ts"
import type { KernelCase } from "./kernels/KernelCase.ts"

export interface KernelImplementation {
  readonly runtime: NamedRuntime
  readonly precision: "float32" | "bfloat16"
  /** Whether to run the heavy operations alone. */
  readonly heavyOnly?: true
  /** Cases that somebody else's backend is known to fail; each has to. Properties so named are left out. */
  readonly wrong?: RegExp
  /** The kernels that the cases must have come by, all of them. */
  readonly kernels: ReadonlyArray<string>
}

/** Largest difference allowed, as a part of the largest value of the tensor (or of 1). */
const tolerances = { float32: 1e-4, bfloat16: 3e-2 } as const

/** A slope is measured over a distance, so curvature and rounding are in it. */
const SLOPE_TOLERANCE = 1e-2

const CASES_MIN = 300

export const kernelSuite = (implementation: KernelImplementation): void => {
  const { precision, runtime } = implementation
  const used = new Set<string>()
  const skipped = runtime.skipped !== ""
  const chosen = ({ heavy }: { readonly heavy?: true }): boolean =>
    implementation.heavyOnly !== true || heavy === true

  describe(`kernels of the ${runtime.name} runtime in ${precision}${runtime.skipped}`, () => {
    for (const [group, { cases, properties }] of Object.entries(groups)) {
      if (!cases.some(chosen)) continue
      // A runtime for each group: graphs only grow, and running a large one takes its time.
      it.layer(runtime.layer)(group, (it) => {
        for (const kase of cases.filter(chosen)) {
          const test = implementation.wrong?.test(kase.name) === true ? it.effect.fails : it.effect
          const checked = () => conforms(kase, implementation, used)
          if (skipped) it.effect.skip(kase.name, checked)
          else test(kase.name, checked)
        }
        for (const { caseOf, geometry, name } of skipped ? [] : properties.filter(chosen)) {
          if (implementation.wrong?.test(name) === true) continue
          it.effect.prop(
            name,
            { geometry },
            ({ geometry }) => {
              return conforms(caseOf(geometry as never), implementation, used)
            },
            { arbitrary: { runs: 16, seed: 6 } }
          )
        }
      })
    }

    it(`has ${CASES_MIN} cases and more, each with a name of its own`, () => {
      const names = Object.values(groups).flatMap(({ cases }) => cases.map(({ name }) => name))
      expect(names.length).toBeGreaterThanOrEqual(CASES_MIN)
      expect(new Set(names).size).toBe(names.length)
    })

    it.skipIf(skipped)("has come by every kernel", () => {
      expect(implementation.kernels.filter((name) => !used.has(name))).toEqual([])
    })
  })
}

const conforms = (
  kase: KernelCase,
  { precision }: KernelImplementation,
  used: Set<string>
): Effect.Effect<void, TensorError, TensorRuntime> =>
  Effect.gen(function* () {
    const runtime = yield* TensorRuntime
    const step = stepOf(kase, kase.apply, kase.gradient !== "none")
    const watchedStep = (inputs: { readonly [name: string]: tf.Tensor }) => {
      watchKernels(used)
      return step(inputs)
    }
    const compiled = yield* runtime.jit(watchedStep, { inputs: specsOf(kase), precision })
    const results: Arrays = yield* compiled.run(drawInputs(kase))
    const expected = onPureJs(kase)
    for (const [name, values] of Object.entries(expected)) {
      expectClose(results[name], values, tolerances[precision], name)
    }
    if (kase.gradient === "slope" && precision === "float32") {
      const { derived, measured } = yield* slopeOf(kase, compiled, results)
      expect(Math.abs(measured - derived)).toBeLessThan(SLOPE_TOLERANCE * (1 + Math.abs(derived)))
    }
  }).pipe(Effect.scoped)

const specsOf = ({ inputs }: KernelCase): { readonly [name: string]: TensorSpec } =>
  Object.fromEntries(
    inputs.map(({ dtype, shape }, index) => [
      `x${index}`,
      { shape, dtype: dtype === "float32" ? "float32" : "int32" }
    ])
  )

/** NaN equals NaN, infinities equal themselves, and finite values may differ by the tolerance. */
const expectClose = (actual: Values | undefined, expected: Values, tolerance: number, name: string): void => {
  expect(actual?.length, `${name}: number of elements`).toBe(expected.length)
  const finite = Array.from(expected).filter(Number.isFinite)
  const scale = finite.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1)
  const isClose = (value: number, wanted: number): boolean =>
    Object.is(value, wanted) || value === wanted || Math.abs(value - wanted) <= tolerance * scale
  const wrong = expected.findIndex((wanted, index) => !isClose(actual![index]!, wanted))
  if (wrong >= 0) {
    expect.fail(`${name}[${wrong}] is ${actual![wrong]} and should be ${expected[wrong]}`)
  }
}
