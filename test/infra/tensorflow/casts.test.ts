/** Mixed precision must not cost: which nodes of a traced training step move tensors between types. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { vi } from "vitest"
import type { Output, Pointer } from "../../../infra/tensorflow/capi.ts"
import { Graph, type NodeInputs } from "../../../infra/tensorflow/graph.ts"
import { loadClassifier } from "../../../lib/models/Classifier.ts"
import { initializeWeights } from "../../../lib/nn/initializers.ts"
import { isTrainable, sizeOf } from "../../../lib/nn/Weights.ts"
import { TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import type { tf } from "../../../lib/tensor/tf.ts"
import { classificationTask } from "../../../lib/train/tasks/classification.ts"
import { trainStep } from "../../../lib/train/train-step.ts"
import { makeVariables } from "../../../lib/train/variables.ts"
import { kernelsFile, native, stockNative } from "../../support/runtimes.ts"

interface Node {
  readonly type: string
  readonly inputs: ReadonlyArray<Pointer>
}

/** What a trace records, by node. */
const recorded = <A, E, R>(trace: Effect.Effect<A, E, R>): Effect.Effect<Map<Pointer, Node>, E, R> =>
  Effect.gen(function* () {
    const nodes = new Map<Pointer, Node>()
    const record = Graph.prototype.node
    const spy = vi.spyOn(Graph.prototype, "node").mockImplementation(function (this: Graph, ...args) {
      const [type, inputs = []] = args
      const oper = record.apply(this, args)
      nodes.set(oper, { type, inputs: (inputs as NodeInputs).flat().map((input) => (input as Output).oper) })
      return oper
    })
    yield* Effect.ensuring(
      trace,
      Effect.sync(() => spy.mockRestore())
    )
    return nodes
  })

/** "from > to" for each cast and each of those who read it. */
const castsOf = (nodes: ReadonlyMap<Pointer, Node>): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const [oper, { inputs, type }] of nodes) {
    if (type !== "Cast") continue
    const readers = [...nodes.values()].filter((reader) => reader.inputs.includes(oper))
    const names = [...new Set(readers.map((reader) => reader.type))].sort().join(" ")
    const key = `${nodes.get(inputs[0]!)?.type} > ${names}`
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

const traceStep = (depth: number, width: number, shortcut: "A" | "B") =>
  Effect.gen(function* () {
    const runtime = yield* TensorRuntime
    const classifier = yield* loadClassifier({
      architecture: { family: "resnet-cifar", depth, width, shortcut },
      imageChannels: 3,
      numClasses: 10
    })
    const weights = yield* makeVariables(
      initializeWeights(classifier.weights, "torch-default", RandomStream.make(0, "weights"))
    )
    const trainable = classifier.weights.filter(isTrainable)
    const velocities = yield* makeVariables(
      Object.fromEntries(
        trainable.map(({ name, shape }) => [name, { shape, values: new Float32Array(sizeOf(shape)) }])
      )
    )
    const update = trainStep({
      task: classificationTask(classifier),
      weights,
      velocities,
      optimizer: { momentum: 0.9, weightDecay: 5e-4 }
    })
    return yield* runtime.jit((inputs) => update(inputs, inputs.learningRate as tf.Scalar), {
      inputs: {
        images: { shape: [8, 32, 32, 3], dtype: "float32" },
        targets: { shape: [8, 10], dtype: "float32" },
        learningRate: { shape: [], dtype: "float32" }
      },
      precision: "bfloat16"
    })
  })

describe(`a training step in bfloat16${native.skipped}`, () => {
  it.effect.skipIf(native.skipped !== "" || kernelsFile === undefined)("casts nothing but images", () =>
    Effect.gen(function* () {
      for (const [depth, width, shortcut] of [
        [20, 16, "A"],
        [8, 8, "B"]
      ] as const) {
        const casts = castsOf(yield* recorded(traceStep(depth, width, shortcut)))
        expect(casts).toEqual({ "Placeholder > DistilleryConv2D DistilleryConv2DFilterGradient": 1 })
      }
    }).pipe(Effect.provide(native.layer))
  )

  it.effect.skipIf(native.skipped !== "")(
    "casts weights and their gradients besides with TensorFlow's kernels",
    () =>
      Effect.gen(function* () {
        const nodes = yield* recorded(traceStep(20, 16, "A"))
        const sources = Object.keys(castsOf(nodes)).map((cast) => cast.split(" > ")[0])
        const allowed = ["Placeholder", "ReadVariableOp", "Const", "Conv2DBackpropFilter", "Relu", "Tile"]
        expect(sources.filter((source) => !allowed.includes(source!))).toEqual([])
      }).pipe(Effect.provide(stockNative.layer))
  )

  it.effect.skipIf(native.skipped !== "")(
    "keeps convolutions of few channels in float32 with TensorFlow's kernels",
    () =>
      Effect.gen(function* () {
        const nodes = yield* recorded(traceStep(8, 8, "B"))
        const convolutions = [...nodes.values()].filter(({ type }) => type === "Conv2D")
        const low = convolutions.filter(({ inputs }) =>
          inputs.some((input) => nodes.get(input)?.type === "Cast")
        )
        // Of nine, five read or write 8 channels.
        expect([convolutions.length, low.length]).toEqual([9, 4])
      }).pipe(Effect.provide(stockNative.layer))
  )
})
