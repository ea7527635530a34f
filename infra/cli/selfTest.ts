/**
 * The self-test of `distillery doctor`: the same few training steps of a small residual net, traced into one
 * graph and run eagerly. In a process of its own: a library that does not fit the machine may end it.
 */
import { Clock, Effect, Layer } from "effect"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { initializeWeights } from "../../lib/nn/initializers.ts"
import { isTrainable, sizeOf } from "../../lib/nn/Weights.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import type { tf } from "../../lib/tensor/tf.ts"
import { classificationTask } from "../../lib/train/tasks/classification.ts"
import { trainStep } from "../../lib/train/train-step.ts"
import { makeVariables } from "../../lib/train/variables.ts"
import { libraryOptions } from "../capabilities.ts"
import { portableRuntimeLayer, tensorRuntimeLayer } from "../layers.ts"
import { read, type SettingsValue } from "../settings.ts"
import { locateLibrary } from "../tensorflow/library.ts"
import { printJson } from "./Output.ts"

/** What a runtime came to. */
export interface Trained {
  readonly backend: string
  /** Name, version, and our kernels if they serve. */
  readonly library: string
  readonly losses: ReadonlyArray<number>
  /** Median of the steps but the first. */
  readonly stepMillis: number
}

export interface SelfTestResult {
  readonly portable: Trained
  /** Absent where the portable runtime serves. */
  readonly native?: Trained & { readonly oneDnn: boolean | null; readonly cudaDriver: string | null }
}

const [numSteps, batch, size, numClasses] = [8, 16, 16, 4]

const images = { shape: [batch, size, size, 3], dtype: "float32" } as const
const targets = { shape: [batch, numClasses], dtype: "float32" } as const
const learningRate = { shape: [], dtype: "float32" } as const

const openStep = Effect.gen(function* () {
  const runtime = yield* TensorRuntime
  const classifier = yield* loadClassifier({
    architecture: { family: "resnet-cifar", depth: 8, width: 16, shortcut: "B" },
    imageChannels: 3,
    numClasses
  })
  const random = RandomStream.make(0, "weights")
  const weights = yield* makeVariables(initializeWeights(classifier.weights, "he-normal-fan-out", random))
  const zeros = classifier.weights
    .filter(isTrainable)
    .map(({ name, shape }) => [name, { shape, values: new Float32Array(sizeOf(shape)) }])
  const velocities = yield* makeVariables(Object.fromEntries(zeros))
  const optimizer = { momentum: 0.9, nesterov: true, weightDecay: 1e-4 }
  const update = trainStep({ task: classificationTask(classifier), weights, velocities, optimizer })
  return yield* runtime.jit((inputs) => update(inputs, inputs.learningRate as tf.Scalar), {
    inputs: { images, targets, learningRate },
    precision: "float32"
  })
})

const feedsOf = () => {
  const random = RandomStream.make(0, "pixels")
  const count = images.shape.reduce((product, length) => product * length, 1)
  return {
    images: Float32Array.from({ length: count }, () => random.between(-1, 1)),
    targets: Float32Array.from({ length: batch * numClasses }, (_, at) =>
      at % numClasses === Math.floor(at / numClasses) % numClasses ? 1 : 0
    ),
    learningRate: Float32Array.of(0.05)
  }
}

const trained = Effect.gen(function* () {
  const { numerics } = yield* TensorRuntime
  const step = yield* openStep
  const feeds = feedsOf()
  const losses: Array<number> = []
  const millis: Array<number> = []
  for (let at = 0; at < numSteps; at += 1) {
    const begin = yield* Clock.currentTimeNanos
    losses.push((yield* step.run(feeds)).loss[0]!)
    millis.push(Number((yield* Clock.currentTimeNanos) - begin) / 1e6)
  }
  const [, ...later] = millis
  const stepMillis = later.sort((a, b) => a - b)[Math.floor(later.length / 2)]!
  return { backend: numerics.backend, library: numerics.library, losses, stepMillis } satisfies Trained
}).pipe(Effect.scoped)

const nativeResult = Effect.fnUntraced(function* (settings: SettingsValue) {
  const library = yield* locateLibrary(libraryOptions(settings))
  if (library.kind === "portable" || settings.backend === "portable") return undefined
  const result = yield* Effect.provide(trained, tensorRuntimeLayer(settings))
  const { cudaDriverFailure, usesOneDnn } = yield* Effect.promise(
    () => import("../tensorflow/libraryFacts.ts")
  )
  const oneDnn = usesOneDnn(library.framework) ?? null
  return { ...result, oneDnn, cudaDriver: cudaDriverFailure() ?? null }
})

/** Prints one JSON document: a `SelfTestResult`. */
export const selfTest = Effect.fn("selfTest")(function* () {
  const settings = yield* read
  const native = yield* nativeResult(settings)
  const portable = yield* Effect.provide(trained, Layer.fresh(portableRuntimeLayer))
  yield* printJson({ portable, ...(native === undefined ? {} : { native }) } satisfies SelfTestResult)
})
