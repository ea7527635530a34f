import { Schema } from "effect"

/** Loss or gradients are not numbers any more: nothing that follows can be right. */
export class DivergedError extends Schema.TaggedError<DivergedError>()("DivergedError", {
  /** Gradients where the loss is scaled, so that single steps may be skipped, and these are too many. */
  what: Schema.Literals(["loss", "gradients"]),
  /** From 1, over the whole run. */
  step: Schema.Int,
  learningRate: Schema.Number,
  /** With which the step was computed; null: the loss is not scaled. */
  lossScale: Schema.NullOr(Schema.Number),
  /** The last epoch that ended well, from 1; 0: none did. */
  lastGoodEpoch: Schema.Int
}) {
  override get message() {
    const { lastGoodEpoch, learningRate, lossScale, step, what } = this
    const scale = lossScale === null ? "" : `, loss scale ${lossScale}`
    const place = `step ${step} (learning rate ${learningRate.toPrecision(3)}${scale})`
    const good =
      lastGoodEpoch === 0
        ? "no epoch ended well before"
        : `the last good state is that of epoch ${lastGoodEpoch}`
    const advice =
      what === "gradients" && lossScale !== null && lossScale > 1
        ? "Every step of the epoch was skipped: take a lower lossScale."
        : "Lower the learning rate or warm up longer."
    return `The ${what} stopped being finite at ${place}; ${good}. ${advice}`
  }
}
