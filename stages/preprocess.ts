/**
 * Decodes images, brings them and their boxes or masks to one size, cuts off a validation split, and measures
 * the training split.
 */
import { Schema } from "effect"
import { type Normalization, paperNormalization } from "../lib/data/augment/normalization.ts"
import { Fit, inputFlaw } from "../lib/data/Fit.ts"
import { leftOut, withDefault } from "../lib/models/withDefault.ts"
import * as Artifact from "../lib/workflow/Artifact.ts"
import * as Stage from "../lib/workflow/Stage.ts"
import {
  ImageDataset,
  type ImageDatasetValue,
  PreparedDataset,
  type PreparedDatasetValue,
  type TaskName
} from "./artifacts.ts"

const side = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4096 }))
const fraction = (maximum: number) => Schema.Number.check(Schema.isBetween({ minimum: 0, maximum }))

const perChannel = Schema.Array(Schema.Number)

const params = Schema.Struct({
  height: side,
  width: side,
  channels: Schema.Literals([1, 3]),
  /**
   * Null: stretched for classification, filled up where there are boxes or masks. Cut to the middle only for
   * classification: boxes and masks would lose what lies outside.
   */
  fit: withDefault(Schema.NullOr(Fit), null),
  /**
   * Rows and columns that are stored beyond the input, half of them on each side: 32 with an input of 224
   * stores 256, and training cuts from all of that. Evaluation sees the middle. It is a multiple of 4, so
   * that the middle is to the pixel what a new image is cut to.
   */
  margin: leftOut(
    Schema.Int.check(
      Schema.isBetween({ minimum: 0, maximum: 1024 }),
      Schema.isMultipleOf(4, { expected: "a multiple of 4" })
    ),
    0
  ),
  /**
   * What pixels are normalised by, per channel, in units of pixel / 255: what published weights were trained
   * with, or "paper" for He et al. 2018's (of 3 channels). Left out, the training split is measured.
   */
  normalization: Schema.optionalKey(
    Schema.Union([Schema.Literal("paper"), Schema.Struct({ mean: perChannel, std: perChannel })])
  ),
  /** Fraction of the training split (of every class of it) that is set aside for tuning; 0 keeps all. */
  validation: withDefault(fraction(0.9), 0.1),
  seed: withDefault(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 })), 0),
  /** At most this many images of each split, chosen by the seed; null takes all. */
  limit: withDefault(Schema.NullOr(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))), null),
  /** Unusable images are left out and listed; a larger fraction of a split than this fails the stage. */
  maxUnreadable: withDefault(fraction(1), 0.01)
})

/** What the params say, `undefined` where the training split is to be measured. */
export const givenNormalization = ({ normalization }: typeof params.Type): Normalization | undefined =>
  normalization === "paper" ? paperNormalization : normalization

export const PreprocessParams = params.check(
  Schema.makeFilter((given) => inputFlaw({ ...given, normalization: givenNormalization(given) }) ?? true)
)
export const preprocessInputs = {
  dataset: Artifact.oneOf<ImageDatasetValue>(
    ImageDataset.classification,
    ImageDataset.detection,
    ImageDataset.segmentation
  )
}

const tasks: ReadonlyArray<TaskName> = ["classification", "detection", "segmentation"]

const preparedOf = ({ inputs, params }: Stage.OutputOfArgs): Artifact.ArtifactType<PreparedDatasetValue> => {
  const task = tasks.find((one) => ImageDataset[one].name === inputs.dataset?.name)!
  if (task !== "classification" && params.fit !== null && typeof params.fit === "object") {
    throw new Stage.DefinitionError({
      where: 'stage "preprocess"',
      message: `fit "center-crop" is for classification; for ${task} it is "stretch" or "pad"`
    })
  }
  return PreparedDataset[task]
}

const stage = Stage.make("preprocess", {
  params: PreprocessParams,
  inputs: preprocessInputs,
  output: Artifact.oneOf<PreparedDatasetValue>(
    PreparedDataset.classification,
    PreparedDataset.detection,
    PreparedDataset.segmentation
  ),
  outputOf: preparedOf,
  resultServices: ["ImageCodec"],
  run: () => import("./preprocess.run.ts")
})

/** The task stays that of the input. */
export const Preprocess = stage as unknown as Omit<typeof stage, never> &
  (<D extends ImageDatasetValue>(args: {
    readonly params: typeof PreprocessParams.Encoded
    readonly inputs: { readonly dataset: Artifact.ArtifactRef<D> }
  }) => Artifact.ArtifactRef<PreparedDatasetValue<D["task"]>>)
