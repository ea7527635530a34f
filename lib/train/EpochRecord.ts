/** What training has to say of an epoch, in the artifact and in the state it resumes from. */
import { Schema } from "effect"

/**
 * What one epoch came to. Only what the mathematics decides: no times, so that equal runs give equal bytes.
 */
export const EpochRecord = Schema.Struct({
  /** From 1. */
  epoch: Schema.Int,
  /** Of the epoch's last step. */
  learningRate: Schema.Number,
  /** After the epoch, where the loss is scaled. */
  lossScale: Schema.optionalKey(Schema.Number),
  /** Steps that changed no weight, since a gradient was not finite; there where the loss is scaled. */
  skippedSteps: Schema.optionalKey(Schema.Int),
  /**
   * Means over the epoch on augmented images, the weights moving all the while: `loss` and the task's own.
   */
  train: Schema.Record(Schema.String, Schema.Number),
  /** Measured after the epoch on the validation split; empty where there is none. */
  validation: Schema.Record(Schema.String, Schema.Number)
})
export type EpochRecord = typeof EpochRecord.Type
