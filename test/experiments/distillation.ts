/** Whether a teacher helps a student of a thirteenth of its MACs. */
import { pipeline, seeds } from "./distillation.pipeline.ts"
import type { Experiment } from "./Experiment.ts"
import { outcomeOf, resultsOf } from "./pipelineRuns.ts"

export const experiment: Experiment = {
  name: "distillation",
  question:
    "Does a student with a thirteenth of its teacher's MACs learn more with it? (Fashion-MNIST, 10 epochs)",
  variants: ["alone", "taught"],
  seeds,
  figure: "top1",
  run: async (variant, seed) => {
    const [model, evaluation] = [`${variant}-${seed}`, `evaluate-${variant}-${seed}`]
    const manifestOf = await resultsOf(pipeline, [evaluation])
    return outcomeOf(manifestOf(model), manifestOf(evaluation))
  }
}
