/**
 * Decodes images, brings them and their boxes or masks to one size, cuts off a validation split, and measures
 * the training split.
 */
import { Schema } from "effect"
import { withDefault } from "../lib/models/withDefault.ts"
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

export const PreprocessParams = Schema.Struct({
  height: side,
  width: side,
  channels: Schema.Literals([1, 3]),
  /**
   * Stretched to the size, or scaled with the aspect kept and filled up at the bottom and the right; null:
   * stretched for classification, filled up where there are boxes or masks.
   */
  fit: withDefault(Schema.NullOr(Schema.Literals(["stretch", "pad"])), null),
  /** Fraction of the training split (of every class of it) that is set aside for tuning; 0 keeps all. */
  validation: withDefault(fraction(0.9), 0.1),
  seed: withDefault(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 })), 0),
  /** At most this many images of each split, chosen by the seed; null takes all. */
  limit: withDefault(Schema.NullOr(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))), null),
  /** Unusable images are left out and listed; a larger fraction of a split than this fails the stage. */
  maxUnreadable: withDefault(fraction(1), 0.01)
})
export const preprocessInputs = {
  dataset: Artifact.oneOf<ImageDatasetValue>(
    ImageDataset.classification,
    ImageDataset.detection,
    ImageDataset.segmentation
  )
}

const tasks: ReadonlyArray<TaskName> = ["classification", "detection", "segmentation"]

const stage = Stage.make("preprocess", {
  params: PreprocessParams,
  inputs: preprocessInputs,
  output: Artifact.oneOf<PreparedDatasetValue>(
    PreparedDataset.classification,
    PreparedDataset.detection,
    PreparedDataset.segmentation
  ),
  outputOf: ({ inputs }): Artifact.ArtifactType<PreparedDatasetValue> =>
    PreparedDataset[tasks.find((task) => ImageDataset[task].name === inputs.dataset?.name)!],
  resultServices: ["ImageCodec"],
  run: () => import("./preprocess.run.ts")
})

/** The task stays that of the input. */
export const Preprocess = stage as unknown as Omit<typeof stage, never> &
  (<D extends ImageDatasetValue>(args: {
    readonly params: typeof PreprocessParams.Encoded
    readonly inputs: { readonly dataset: Artifact.ArtifactRef<D> }
  }) => Artifact.ArtifactRef<PreparedDatasetValue<D["task"]>>)
