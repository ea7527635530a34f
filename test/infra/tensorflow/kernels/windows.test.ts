/**
 * Depthwise convolutions and poolings of a traced step, values and gradients: computed by our kernels they
 * are what TensorFlow's own operations compute.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { vi } from "vitest"
import { GraphBackend } from "../../../../infra/tensorflow/GraphBackend.ts"
import { layerNative } from "../../../../infra/tensorflow/NativeRuntime.ts"
import { type Precision, TensorRuntime } from "../../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { tf } from "../../../../lib/tensor/tf.ts"
import { kernels, kernelsFile, library } from "../../../support/runtimes.ts"

const skipped =
  library.kind !== "native"
    ? ` (skipped: ${library.reason})`
    : kernels.kind === "absent"
      ? ` (skipped: ${kernels.reason})`
      : ""

type Explicit = tf.backend_util.ExplicitPadding
const oneSided: Explicit = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 0]
]

interface Case {
  readonly name: string
  readonly image: readonly [number, number, number, number]
  readonly window: (x: tf.Tensor4D, filter: tf.Tensor4D) => tf.Tensor4D
  /** Our operations that it takes. */
  readonly operations: ReadonlyArray<string>
}

const depthwise = ["DepthwiseConv2D", "DepthwiseConv2DInputGradient", "DepthwiseConv2DFilterGradient"]
const greatest = ["MaxPool", "MaxPoolGradient"]
const average = ["AveragePool", "AveragePoolGradient"]

/** At least 16 channels: with fewer, TensorFlow's convolutions stay in float32 (see `autocast.ts`). */
const cases: ReadonlyArray<Case> = [
  {
    name: "depthwise",
    image: [2, 14, 15, 40],
    window: (x, filter) => tf.depthwiseConv2d(x, filter, 1, "same"),
    operations: depthwise
  },
  {
    name: "depthwise, halved",
    image: [2, 14, 15, 40],
    window: (x, filter) => tf.depthwiseConv2d(x, filter, 2, "same"),
    operations: depthwise
  },
  {
    name: "depthwise, padded on some sides",
    image: [3, 9, 12, 17],
    window: (x, filter) => tf.depthwiseConv2d(x, filter, 2, oneSided),
    operations: depthwise
  },
  {
    name: "greatest",
    image: [2, 14, 15, 40],
    window: (x) => tf.maxPool(x, 3, 2, "same"),
    operations: greatest
  },
  {
    name: "greatest, overlapping",
    image: [2, 9, 8, 19],
    window: (x) => tf.maxPool(x, 3, 1, "same"),
    operations: greatest
  },
  {
    name: "greatest, padded on some sides",
    image: [2, 14, 14, 33],
    window: (x) => tf.maxPool(x, 3, 2, oneSided),
    operations: greatest
  },
  {
    name: "average",
    image: [2, 14, 15, 40],
    window: (x) => tf.avgPool(x, 3, 1, "same"),
    operations: average
  },
  {
    name: "average of the whole image",
    image: [3, 7, 7, 64],
    window: (x) => tf.avgPool(x, 7, 1, "valid"),
    operations: average
  }
]

const uniform = (seed: string, length: number): Float32Array => {
  const random = RandomStream.make(20261124, seed)
  return Float32Array.from({ length }, () => random.between(-1, 1))
}

/** `y` and the gradients with respect to both inputs of a sum of `y` with uneven weights. */
const stepOf = ({ name, window }: Case) => {
  const apply = (x: tf.Tensor4D, filter: tf.Tensor4D): tf.Tensor4D =>
    // Autocast is for what lies between convolutions, so one comes before and lets through what it is given.
    window(tf.depthwiseConv2d(x, tf.ones([1, 1, x.shape[3], 1]), 1, "valid"), filter)
  return (inputs: { readonly [name: string]: tf.Tensor }) => {
    const [x, filter] = [inputs.x as tf.Tensor4D, inputs.filter as tf.Tensor4D]
    const y = apply(x, filter)
    const weights = tf.tensor(uniform(`${name} weights`, y.size), y.shape)
    const loss = (a: tf.Tensor, b: tf.Tensor): tf.Scalar =>
      tf.add(
        tf.sum(tf.mul(apply(a as tf.Tensor4D, b as tf.Tensor4D), weights)),
        tf.mul(tf.sum(b), 0)
      ) as tf.Scalar
    const [dx, dfilter] = tf.grads(loss)([x, filter])
    return { y, dx: dx!, dfilter: dfilter! }
  }
}

const run = (kind: Case, precision: Precision, own: boolean) =>
  Effect.gen(function* () {
    const runtime = yield* TensorRuntime
    const filterShape = [3, 3, kind.image[3], 1]
    const compiled = yield* runtime.jit(stepOf(kind), {
      inputs: {
        x: { shape: [...kind.image], dtype: "float32" },
        filter: { shape: filterShape, dtype: "float32" }
      },
      precision
    })
    const size = kind.image.reduce((product, length) => product * length, 1)
    return yield* compiled.run({
      x: uniform(kind.name, size),
      filter: uniform(`${kind.name} filter`, 9 * kind.image[3])
    })
  }).pipe(
    Effect.provide(
      layerNative({ library: library as never, kernels: own ? kernelsFile : undefined, threads: 2 })
    )
  )

/** bfloat16 keeps 8 bits; stock operations also sum in it here and there. */
const tolerances = { float32: 1e-5, bfloat16: 0.03 } as const

describe(`depthwise convolutions and poolings of our own${skipped}`, () => {
  for (const precision of ["float32", "bfloat16"] as const)
    for (const kind of cases)
      it.effect.skipIf(skipped !== "")(`${kind.name}, ${precision}`, () =>
        Effect.gen(function* () {
          const emitted = vi.spyOn(GraphBackend.prototype, "emitOwn")
          const own = yield* run(kind, precision, true)
          const names = emitted.mock.calls.map(([name]) => name)
          expect(names).toEqual(expect.arrayContaining([...kind.operations]))
          emitted.mockClear()
          const stock = yield* run(kind, precision, false)
          expect(emitted).not.toHaveBeenCalled()
          emitted.mockRestore()
          for (const name of ["y", "dx", "dfilter"] as const) {
            const [expected, computed] = [Array.from(stock[name]!), Array.from(own[name]!)]
            const largest = Math.max(1e-3, ...expected.map(Math.abs))
            const worst = Math.max(...expected.map((value, at) => Math.abs(value - computed[at]!)))
            expect(worst / largest, name).toBeLessThan(tolerances[precision])
          }
        })
      )
})
