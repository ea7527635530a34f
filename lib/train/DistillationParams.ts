/** How a student listens to its teacher, as data; light enough for a stage's contract. */
import { Schema } from "effect"
import { leftOut, withDefault } from "../models/withDefault.ts"
import { inRange, integerInRange } from "./ranges.ts"

const weight = (what: string, usual: number) => withDefault(inRange(what, 0, 1000), usual)

/**
 * Labels and teacher are added up (the paper's form), or weighted against each other (GluonCV's), or added up
 * with the teacher's answers in two parts (Zhao et al. 2022): see `lib/losses/distillation.ts`.
 */
export const Combination = Schema.Union([
  Schema.Struct({ form: Schema.Literal("sum") }),
  Schema.Struct({
    form: Schema.Literal("weighted"),
    /** The share of the labels, 0…1; 0: the teacher alone. */
    hardWeight: inRange("hardWeight", 0, 1)
  }),
  Schema.Struct({
    form: Schema.Literal("decoupled"),
    /** Of how sure the teacher is of the labelled class. */
    alpha: weight("alpha", 1),
    /** Of how it shares out the rest among the others; the authors take 1 to 8. */
    beta: weight("beta", 8),
    /** Over so many epochs the teacher's part grows to its full size; 0: it has it at once. */
    warmupEpochs: leftOut(integerInRange("warmupEpochs", 0, 10_000), 0)
  })
])

/** Five of a hundred images. */
export const usualTeacherMargin = 0.05

export const DistillationParams = Schema.Struct({
  /** Above 1 it softens both probabilities; the paper takes 20 on ImageNet, 4 is usual on small images. */
  temperature: withDefault(
    Schema.Number.check(
      Schema.makeFilter(
        (value) => (value > 0 && value <= 1000) || `temperature must be above 0, at most 1000, got ${value}`
      )
    ),
    4
  ),
  combination: withDefault(Combination, { form: "sum" }),
  /**
   * What the teacher scores on the student's images, 0…1, where its artifact does not know (published
   * weights). Absent or null: as recorded, else clearly more than chance.
   */
  teacherTop1: leftOut(Schema.NullOr(inRange("teacherTop1", 0, 1)), null),
  /** How much less than that the teacher may score before nothing is trained. */
  teacherMargin: leftOut(inRange("teacherMargin", 0, 1), usualTeacherMargin)
})
export type DistillationParams = typeof DistillationParams.Type
