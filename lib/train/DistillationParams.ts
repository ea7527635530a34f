/** How a student listens to its teacher, as data; light enough for a stage's contract. */
import { Schema } from "effect"
import { withDefault } from "../models/withDefault.ts"

/** Labels and teacher are added up (the paper's form), or weighted against each other (GluonCV's). */
export const Combination = Schema.Union([
  Schema.Struct({ form: Schema.Literal("sum") }),
  Schema.Struct({
    form: Schema.Literal("weighted"),
    /** The share of the labels, 0…1. */
    hardWeight: Schema.Number.check(
      Schema.makeFilter(
        (weight) => (weight >= 0 && weight <= 1) || `hardWeight must be from 0 to 1, got ${weight}`
      )
    )
  })
])

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
  combination: withDefault(Combination, { form: "sum" })
})
export type DistillationParams = typeof DistillationParams.Type
