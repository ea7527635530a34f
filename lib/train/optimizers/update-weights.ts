/** Which optimizer moves which weight. */
import type { WeightSpec } from "../../nn/Weights.ts"
import type { tf } from "../../tensor/tf.ts"
import type { Variables } from "../variables.ts"
import { clippedGradients, type Gradients } from "./gradient-norm.ts"
import { type MuonOptions, muonUpdate, orthogonalWeights } from "./muon.ts"
import { momentumUpdate, nagUpdate, type SgdOptions } from "./sgd.ts"

export interface OptimizerOptions extends SgdOptions {
  /** NAG if not said; it also moves the weights that Muon is not for. */
  readonly optimizer?: "nag" | "sgd" | MuonOptions
  /** See {@link clippedGradients}; absent or null: as they are. */
  readonly gradientNormMax?: number | null
}

export interface UpdatedWeights {
  readonly specs: ReadonlyArray<WeightSpec>
  readonly weights: Variables
  /** One for each trainable weight, under the same name. */
  readonly velocities: Variables
}

/** Moves weights and velocities by gradients that bear their names. */
export const updateWeights = (
  options: OptimizerOptions,
  { specs, velocities, weights }: UpdatedWeights,
  own: Gradients,
  learningRate: tf.Scalar
): void => {
  const { gradientNormMax, optimizer = "nag" } = options
  const gradients = gradientNormMax == null ? own : clippedGradients(own, gradientNormMax)
  const orthogonal = typeof optimizer === "object" ? orthogonalWeights(specs) : undefined
  for (const [name, velocity] of Object.entries(velocities)) {
    const moved = { weight: weights[name]!, velocity, gradient: gradients[name]!, learningRate }
    if (typeof optimizer === "object" && orthogonal?.has(name) === true) muonUpdate(optimizer, moved)
    else if (optimizer === "sgd") momentumUpdate(options, moved)
    else nagUpdate(options, moved)
  }
}
