/**
 * What a network starts training from when a classifier has gone before: its weights by name, the rest
 * new.
 */
import { Effect } from "effect"
import type { Architecture } from "../models/Architecture.ts"
import { loadClassifier } from "../models/Classifier.ts"
import { type Transfer, transferWeights } from "../models/transfer-weights.ts"
import { decodeWeights } from "../models/weights.ts"
import { withFrozen } from "../nn/frozen.ts"
import { initializeWeights } from "../nn/initializers.ts"
import type { WeightSpec } from "../nn/Weights.ts"
import { RandomStream } from "../tensor/random.ts"
import type { TransferParams } from "./TransferParams.ts"

export interface FirstWeightsOptions {
  readonly params: TransferParams
  /** Of the new network. */
  readonly specs: ReadonlyArray<WeightSpec>
  readonly classifier: {
    readonly architecture: Architecture
    readonly imageChannels: number
    readonly numClasses: number
    /** safetensors */
    readonly bytes: Uint8Array
  }
}

export interface FirstWeights extends Transfer {
  /** The new network's, those frozen that the params name. */
  readonly specs: ReadonlyArray<WeightSpec>
  readonly frozen: ReadonlyArray<string>
}

/**
 * Fails where the classifier's bytes are broken, its weights do not fit, or a frozen prefix names nothing.
 */
export const firstWeights = Effect.fn("firstWeights")(function* (options: FirstWeightsOptions) {
  const { params, classifier } = options
  const specs = yield* withFrozen(options.specs, params.frozen)
  const { initializer, seed } = params.training
  const fresh = initializeWeights(specs, initializer, RandomStream.make(seed, "weights"))
  const { weights: classifierSpecs } = yield* loadClassifier(classifier)
  const known = yield* decodeWeights(classifier.bytes, classifierSpecs)
  const from = params.start === "classifier" ? known : {}
  const transfer = yield* transferWeights({ from, specs, fresh })
  const frozen = specs.filter((spec) => spec.frozen === true).map(({ name }) => name)
  return { ...transfer, specs, frozen } satisfies FirstWeights
})

/** "takes 60 weights of the classifier, starts 12 new ones, freezes 0, leaves 2 behind" */
export const firstWeightsText = ({ fresh, frozen, taken, unused }: FirstWeights): string =>
  `takes ${taken.length} weights of the classifier, starts ${fresh.length} new ones, ` +
  `freezes ${frozen.length}, leaves ${unused.length} behind`
