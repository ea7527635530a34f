/** A backbone's finer twin for segmenters: the same weights, dilations in place of strides. */
import { Effect, Schema } from "effect"
import type { Architecture, OutputStride } from "./Architecture.ts"

/** The architecture's strides stand as they are. */
export class OutputStrideRefused extends Schema.TaggedError<OutputStrideRefused>()("OutputStrideRefused", {
  family: Schema.String
}) {
  override get message() {
    return (
      `Backbones of the family "${this.family}" come in one output stride. ` +
      'Leave outputStride out, or start from a classifier of the family "resnet" or "mobilenet-v1".'
    )
  }
}

/** As it is where no stride is given. */
export const withOutputStride = (
  architecture: Architecture,
  outputStride: OutputStride | undefined
): Effect.Effect<Architecture, OutputStrideRefused> => {
  if (outputStride === undefined) return Effect.succeed(architecture)
  if (architecture.family === "resnet" || architecture.family === "mobilenet-v1") {
    return Effect.succeed({ ...architecture, outputStride })
  }
  return Effect.fail(new OutputStrideRefused({ family: architecture.family }))
}
