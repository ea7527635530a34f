/**
 * Brings weights that somebody has published into the store as a classifier, to evaluate, to start a transfer
 * from, or to teach a student.
 */
import { Schema } from "effect"
import { inputFlaw } from "../lib/data/Fit.ts"
import { SourceFile } from "../lib/data/SourceFiles.ts"
import { NamedArchitecture } from "../lib/models/published/NamedArchitecture.ts"
import { withDefault } from "../lib/models/withDefault.ts"
import { Digest } from "../lib/storage/Digest.ts"
import type { External } from "../lib/workflow/ExternalInputs.ts"
import * as Stage from "../lib/workflow/Stage.ts"
import { Attribution, Classifier, Preprocessing } from "./artifacts.ts"

/** A file on this machine; with a `digest` it must be that one. */
const UserFile = Schema.TaggedStruct("File", {
  path: Schema.NonEmptyString,
  digest: withDefault(Schema.NullOr(Digest), null)
})

/** Safetensors, or what PyTorch saves: on this machine, or from the first place that has it. */
export const WeightsFile = Schema.Union([UserFile, Schema.TaggedStruct("Source", SourceFile.fields)])
export type WeightsFile = typeof WeightsFile.Type

/** Names in the order of the network's outputs, or a file of them (`lib/models/label-names.ts`). */
export const LabelNames = Schema.Union([
  Schema.Array(Schema.NonEmptyString).check(Schema.isMinLength(1)),
  UserFile
])
export type LabelNames = typeof LabelNames.Type

const input = Preprocessing.check(
  Schema.makeFilter(({ mean, std, ...size }) => inputFlaw({ ...size, normalization: { mean, std } }) ?? true)
)

export const ImportModelParams = Schema.Struct({
  weights: WeightsFile,
  /** Under which key of a PyTorch file the weights are, where there are several ("state_dict_ema"). */
  key: Schema.optionalKey(Schema.NonEmptyString),
  /** An architecture, or a published name such as "resnet18". */
  architecture: NamedArchitecture,
  classes: LabelNames,
  /** How images were prepared for these weights. */
  preprocessing: input,
  /** It stays with the model. */
  attribution: Attribution
})
export const importModelInputs = {}

/** What `explain` calls the files. */
export const weightsInput = "weights"
export const labelsInput = "labels"

const externalOf = (name: string, param: string, file: unknown): ReadonlyArray<External> => {
  if (!Schema.is(UserFile)(file)) return []
  const { digest, path } = file
  const standsFor = [`${param}.path`, `${param}.digest`]
  return [{ name, kind: "file", path, standsFor, ...(digest !== null && { pinned: digest }) }]
}

export const ImportModel = Stage.make("import-model", {
  params: ImportModelParams,
  inputs: importModelInputs,
  output: Classifier,
  externals: ({ classes, weights }) => [
    ...externalOf(weightsInput, "weights", weights),
    ...externalOf(labelsInput, "classes", classes)
  ],
  run: () => import("./import-model.run.ts")
})
