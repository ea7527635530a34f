/** `card.json`: what somebody who is given an exported model has to know to use it. */
import { Schema } from "effect"
import { Architecture } from "../../lib/models/Architecture.ts"
import { Attribution, Preprocessing } from "../../stages/artifacts.ts"

export const formats = ["safetensors", "tfjs", "saved-model", "onnx"] as const
export const Format = Schema.Literals(formats)
export type Format = typeof Format.Type

/** Where each format's files lie in an export. */
export const placeOf: { readonly [F in Format]: string } = {
  safetensors: "model.safetensors",
  tfjs: "tfjs",
  "saved-model": "saved-model",
  onnx: "model.onnx"
}

export const cardFile = "card.json"
export const comparisonFile = "comparison.json"

/** `null` in a shape is the batch: any number of images. */
const Shape = Schema.Array(Schema.NullOr(Schema.Int))

const Port = Schema.Struct({ name: Schema.String, shape: Shape, dtype: Schema.Literal("float32") })

export const ModelCard = Schema.Struct({
  schemaVersion: Schema.Literal(1),
  /** `pipeline/job` and the job's key in the store it comes from. */
  model: Schema.String,
  jobKey: Schema.String,
  exportedBy: Schema.String,
  task: Schema.Literal("classification"),
  /** In the order of the logits. */
  classes: Schema.Array(Schema.String),
  architecture: Architecture,
  /** Of weights that were imported: whose they are, and under which terms. */
  attribution: Schema.optionalKey(Attribution),
  numParams: Schema.Int,
  /** Multiply-accumulates for one image. */
  macs: Schema.Int,
  /** Of the graphs; what they take are pixels 0…255, channels last, RGB or grey. */
  input: Port,
  outputs: Schema.Array(Port),
  /**
   * How an image file becomes an input: fitted to the size by the resampler. Then (pixel / 255 - mean) / std
   * for each channel, which is part of the graphs, but not of the safetensors.
   */
  preprocessing: Preprocessing,
  resampler: Schema.String,
  normalizationIncludedIn: Schema.Array(Format),
  /** SHA-256 of the artifact's weights, as they lie in the store. */
  weights: Schema.String,
  files: Schema.Array(
    Schema.Struct({ format: Format, path: Schema.String, sizeBytes: Schema.Int, digest: Schema.String })
  )
})
export type ModelCard = typeof ModelCard.Type
