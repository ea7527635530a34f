/** What stands on a backbone, as data: light enough for a stage's contract (no tensor library). */
import { Schema } from "effect"
import { withDefault } from "./withDefault.ts"

const integer = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** RetinaNet (Lin et al. 2017, arXiv 1708.02002) on a feature pyramid (arXiv 1612.03144). */
export const DetectorHead = Schema.Struct({
  /** Channels of every pyramid level and of the towers; the papers take 256. */
  channels: withDefault(integer(8, 1024), 64),
  /** Levels above the backbone's coarsest map, each half as large; the paper takes 2 (P6, P7). */
  extraLevels: withDefault(integer(0, 4), 2),
  /** 3x3 convolutions before the outputs; the paper takes 4. */
  towerConvs: withDefault(integer(0, 8), 2)
})
export type DetectorHead = typeof DetectorHead.Type

/** Where a detector's anchors come from. */
export const AnchorChoice = Schema.Union([
  /** RetinaNet's nine per level: three scales from 4 × stride, three ratios each. */
  Schema.Struct({ kind: Schema.Literal("retina") }),
  /**
   * As many per level as asked, from the sizes of training boxes (YOLO9000 §2), small ones on fine levels.
   */
  Schema.Struct({ kind: Schema.Literal("kmeans"), perLevel: integer(1, 16) })
])
export type AnchorChoice = typeof AnchorChoice.Type

/** All levels share one head, so they have as many anchors each. */
export const anchorsPerCell = (choice: AnchorChoice): number =>
  choice.kind === "retina" ? 9 : choice.perLevel

/** FCN (Long et al. 2015, arXiv 1411.4038), the head of torchvision and GluonCV. */
export const SegmenterHead = Schema.Struct({
  /** The finer map whose scores are added to the upsampled ones of the coarsest (c3: FCN-8s); null: none. */
  skip: withDefault(Schema.NullOr(Schema.Literals(["c2", "c3", "c4"])), "c3")
})
export type SegmenterHead = typeof SegmenterHead.Type
