/**
 * The exponential moving average of weights, running statistics among them (Polyak & Juditsky 1992; Tan & Le
 * 2019 train EfficientNets so). It starts as the first weights.
 */
import { tf } from "../tensor/tf.ts"
import type { Variables } from "./variables.ts"

export interface WeightAverages {
  /** Of every weight, under the same name. */
  readonly averages: Variables
  /** Of an update: an average keeps so much of itself. */
  readonly decay: number
}

/** average + (1 - decay) (weight - average), which leaves the average of what does not move as it is. */
export const moveAverages = ({ averages, decay }: WeightAverages, weights: Variables): void => {
  for (const [name, average] of Object.entries(averages)) {
    average.assign(tf.add(average, tf.mul(tf.sub(weights[name]!, average), 1 - decay)))
  }
}
