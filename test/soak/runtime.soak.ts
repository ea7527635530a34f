/**
 * The native runtime for long: 5,000 steps and 400 retraces take no more memory at their end than in their
 * middle, and everything that tfjs and TensorFlow made is given back.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TensorFlow } from "../../infra/tensorflow/capi.ts"
import type { NativeLibrary } from "../../infra/tensorflow/library.ts"
import { layerNative } from "../../infra/tensorflow/NativeRuntime.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { disposeNet, makeNet, trainingStep } from "../infra/tensorflow/residual-net.ts"
import { climb, residentMiB } from "../support/residentMemory.ts"
import { kernelsFile, library, native } from "../support/runtimes.ts"

const STEPS = 5000
const RETRACES = 400
/** Kinds of feeds, in turn: oneDNN remembers what it prepared for a shape, up to a bound of its own. */
const SHAPES = 80
/** MiB that the second half may climb along its fitted line: 0 but for what allocators play with. */
const CLIMB = 8

const feedsOf = (batch: number, side: number) => {
  const random = RandomStream.make(5, `${batch}x${side}`)
  return {
    images: {
      shape: [batch, side, side, 3],
      values: Float32Array.from({ length: batch * side * side * 3 }, () => random.gaussian())
    },
    labels: { shape: [batch], values: Int32Array.from({ length: batch }, (_, index) => index % 4) }
  }
}

const openNet = Effect.gen(function* () {
  const runtime = yield* TensorRuntime
  const net = yield* Effect.acquireRelease(
    Effect.sync(() => makeNet(3)),
    (made) => Effect.sync(() => disposeNet(made))
  )
  const step = yield* runtime.jit(trainingStep(net), {
    inputs: { images: { shape: [8, 12, 12, 3], dtype: "float32" }, labels: { shape: [8], dtype: "int32" } },
    precision: "bfloat16"
  })
  return { runtime, step }
})

/** Few traces, so that the graph is made anew often. */
const frugal =
  library.kind === "native"
    ? layerNative({ library, kernels: kernelsFile, threads: 2, tracesKept: 4, deadNodesKept: 1000 })
    : native.layer

const made = () => ({
  tensors: tf.memory().numTensors,
  ...TensorFlow.load(library as NativeLibrary).handles.live
})

/** Runs it with a runtime of its own and tells how much was left behind. */
const leaving = <E>(layer: typeof native.layer, use: Effect.Effect<void, E, TensorRuntime>) =>
  Effect.gen(function* () {
    yield* Effect.provide(Effect.void, layer)
    const before = made()
    yield* Effect.provide(use, layer)
    assert.deepStrictEqual(made(), before)
  })

describe.skipIf(native.skipped !== "")(`the native runtime for long${native.skipped}`, () => {
  it.effect(`holds its memory over ${STEPS} steps`, () =>
    leaving(
      native.layer,
      Effect.scoped(
        Effect.gen(function* () {
          const { runtime, step } = yield* openNet
          const feeds = feedsOf(8, 12)
          const samples: Array<number> = []
          for (let index = 0; index < STEPS; index++) {
            yield* step.run(feeds)
            if (index % 25 === 0) samples.push(residentMiB())
          }
          console.log(
            `${STEPS} steps: ${samples.at(-1)!.toFixed(0)} MiB, climb ${climb(samples).toFixed(2)} MiB`
          )
          assert.isBelow(climb(samples), CLIMB)
          assert.deepInclude(yield* runtime.counters, { traces: 1, hits: STEPS, evictions: 0, rebuilds: 0 })
        })
      )
    )
  )

  it.effect(`holds its memory over ${RETRACES} retraces`, () =>
    leaving(
      frugal,
      Effect.scoped(
        Effect.gen(function* () {
          const { runtime, step } = yield* openNet
          const samples: Array<number> = []
          let seen = 0
          for (let index = 0; index < RETRACES; index++) {
            const shape = index % SHAPES
            yield* step.run(feedsOf(1 + (shape % 8), 12 + Math.floor(shape / 8)))
            const { rebuilds } = yield* runtime.counters
            // Memory grows with the graph and falls when it is made anew: looked at there, it is comparable.
            if (rebuilds > seen) samples.push(residentMiB())
            seen = rebuilds
          }
          const { evictions, nodes, rebuilds, traces } = yield* runtime.counters
          console.log(
            `${traces} traces, ${rebuilds} rebuilds, ${nodes.live + nodes.dead} nodes: ` +
              `${samples.at(-1)!.toFixed(0)} MiB, climb ${climb(samples).toFixed(2)} MiB`
          )
          assert.isAtLeast(traces, RETRACES)
          assert.isAbove(rebuilds, RETRACES / 16)
          assert.isAbove(evictions, RETRACES / 2)
          assert.isBelow(climb(samples), CLIMB)
        })
      )
    )
  )
})
