/** Classifiers of random weights, as `export` loads them; statistics are such that every one matters. */
import { Effect } from "effect"
import type { LoadedModel } from "../../infra/cli/exportedFiles.ts"
import { digestOf } from "../../infra/hashing.ts"
import type { Architecture } from "../../lib/models/Architecture.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { initializeWeights } from "../../lib/nn/initializers.ts"
import type { WeightRole, Weights } from "../../lib/nn/Weights.ts"
import { RandomStream } from "../../lib/tensor/random.ts"

export interface ModelOptions {
  readonly architecture: Architecture
  readonly height: number
  readonly width: number
  readonly channels?: 1 | 3
  readonly numClasses?: number
}

/** What a trained weight of a role may be, where an initial one would be 0 or 1. */
const trained: { readonly [R in WeightRole]?: (random: RandomStream) => number } = {
  bias: (random) => random.between(-0.5, 0.5),
  scale: (random) => random.between(0.5, 1.5),
  shift: (random) => random.between(-0.5, 0.5),
  "running-mean": (random) => random.between(-0.5, 0.5),
  "running-variance": (random) => random.between(0.5, 1.5)
}

export const exportedModel = Effect.fn("exportedModel")(function* (options: ModelOptions) {
  const { architecture, channels = 3, height, numClasses = 5, width } = options
  const classifier = yield* loadClassifier({ architecture, imageChannels: channels, numClasses })
  const random = RandomStream.make(11, "exported model")
  const initial = initializeWeights(classifier.weights, "he-normal-fan-in", random)
  const weights: Weights = Object.fromEntries(
    classifier.weights.map(({ name, role }) => {
      const { shape, values } = initial[name]!
      const draw = trained[role]
      const stream = random.derive("trained", name)
      return [name, { shape, values: draw === undefined ? values : values.map(() => draw(stream)) }]
    })
  )
  const mean = [0.48, 0.45, 0.4].slice(0, channels)
  const std = [0.23, 0.22, 0.24].slice(0, channels)
  const value = {
    _tag: "Classifier",
    architecture,
    classes: Array.from({ length: numClasses }, (_, index) => `class ${index}`),
    preprocessing: { height, width, channels, fit: "stretch", mean, std },
    weights: { blob: digestOf("weights"), sizeBytes: 0 },
    numParams: classifier.parameters,
    macs: classifier.macs(height, width),
    history: []
  } as const
  return {
    value,
    classifier,
    weights,
    name: "toy/model",
    jobKey: digestOf("key")
  } satisfies LoadedModel as LoadedModel
})
