/** Mixed precision must not reach what needs all bits: which types the nodes of a traced step have. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { vi } from "vitest"
import { attribute } from "../../../infra/tensorflow/attributes.ts"
import { DataType } from "../../../infra/tensorflow/capi.ts"
import { Graph } from "../../../infra/tensorflow/graph.ts"
import { layerNative } from "../../../infra/tensorflow/NativeRuntime.ts"
import { loadClassifier } from "../../../lib/models/Classifier.ts"
import { initializeWeights } from "../../../lib/nn/initializers.ts"
import { isTrainable, zeroWeights } from "../../../lib/nn/Weights.ts"
import { type Precision, TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import type { tf } from "../../../lib/tensor/tf.ts"
import { firstLossScale, makeLossScaling } from "../../../lib/train/loss-scaling.ts"
import { distillationTask } from "../../../lib/train/tasks/distillation.ts"
import { trainStep } from "../../../lib/train/train-step.ts"
import { makeVariables } from "../../../lib/train/variables.ts"
import { kernelsFile, library, native } from "../../support/runtimes.ts"

/** The types that nodes are said to have, by operation. */
const typesOf = <A, E, R>(trace: Effect.Effect<A, E, R>): Effect.Effect<Map<string, Set<number>>, E, R> =>
  Effect.gen(function* () {
    const types = new Map<string, Set<number>>()
    const said = new Map<unknown, number>()
    const { type: original } = attribute
    const spiedTypes = vi.spyOn(attribute, "type").mockImplementation((type) => {
      const made = original(type)
      said.set(made, type)
      return made
    })
    const record = Graph.prototype.node
    const nodes = vi.spyOn(Graph.prototype, "node").mockImplementation(function (this: Graph, ...args) {
      const [operation, , attributes = {}] = args
      const type = said.get(attributes.T ?? attributes.dtype)
      if (type !== undefined) types.set(operation, (types.get(operation) ?? new Set()).add(type))
      return record.apply(this, args)
    })
    yield* Effect.ensuring(
      trace,
      Effect.sync(() => {
        nodes.mockRestore()
        spiedTypes.mockRestore()
      })
    )
    return types
  })

/** A student with a teacher at T = 20, whose loss is the most sensitive there is. */
const traceStep = (precision: Precision) =>
  Effect.gen(function* () {
    const runtime = yield* TensorRuntime
    const classifier = yield* loadClassifier({
      architecture: { family: "resnet-cifar", depth: 8, width: 16, shortcut: "B" },
      imageChannels: 3,
      numClasses: 10
    })
    const first = initializeWeights(classifier.weights, "torch-default", RandomStream.make(0, "weights"))
    const weights = yield* makeVariables(first)
    const velocities = yield* makeVariables(zeroWeights(classifier.weights.filter(isTrainable)))
    const averaging = { averages: yield* makeVariables(first), decay: 0.9 }
    const teacherWeights = yield* makeVariables(first)
    const task = distillationTask({
      student: classifier,
      teacher: classifier,
      teacherWeights,
      temperature: 20,
      combination: { form: "sum" }
    })
    const lossScaling = yield* makeLossScaling(firstLossScale, true)
    const optimizer = { momentum: 0.9, weightDecay: 5e-4 }
    const update = trainStep({ task, weights, velocities, optimizer, lossScaling, averaging })
    return yield* runtime.jit((inputs) => update(inputs, inputs.learningRate as tf.Scalar), {
      inputs: {
        images: { shape: [8, 32, 32, 3], dtype: "float32" },
        targets: { shape: [8, 10], dtype: "float32" },
        learningRate: { shape: [], dtype: "float32" }
      },
      precision
    })
  })

const halves: Layer.Layer<TensorRuntime, unknown> =
  library.kind === "native"
    ? layerNative({ library, kernels: kernelsFile, threads: 1, float16OnCpu: true })
    : native.layer

/** Cross-entropy, the teacher's softened answers, means, and what is done with the scale. */
const LOSS = ["SoftmaxCrossEntropyWithLogits", "Exp", "Log", "Sum", "Mean", "Mul", "RealDiv", "IsFinite"]
/** Master weights, running statistics, velocities and averages. */
const STATE = ["VarHandleOp", "ReadVariableOp", "AssignVariableOp"]

describe.skipIf(native.skipped !== "")(`a step of distillation in low precision${native.skipped}`, () => {
  it.effect.each([
    ["bfloat16", DataType.bfloat16],
    ["float16", DataType.float16]
  ] as const)(
    "in %s: convolves low, and keeps loss, softmax, weights and update in float32",
    ([precision, low]) =>
      Effect.gen(function* () {
        const types = yield* typesOf(traceStep(precision))
        const typesIn = (operations: ReadonlyArray<string>) => [
          ...new Set(operations.flatMap((operation) => [...(types.get(operation) ?? [])]))
        ]
        expect(typesIn([...types.keys()].filter((name) => name.includes("Conv2D")))).toEqual([low])
        for (const operation of [...LOSS, ...STATE]) expect(types.has(operation), operation).toBe(true)
        expect(typesIn([...LOSS, ...STATE, "DistillerySgd"])).toEqual([DataType.float32])
      }).pipe(Effect.scoped, Effect.provide(halves))
  )
})
