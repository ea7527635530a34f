/** An ablation as an experiment: a row is a variant, and compared with the row that lacks its trick. */
import type { TrickName } from "../../lib/train/tricks.ts"
import type { Pipeline } from "../../lib/workflow/Pipeline.ts"
import { ablation, reportJob } from "../../pipelines/ablation.ts"
import type { AblationReportParams } from "../../stages/ablation-report.ts"
import type { Experiment } from "./Experiment.ts"
import { outcomeOf, resultsOf } from "./pipelineRuns.ts"

interface Ablation extends Pick<Experiment, "name" | "question"> {
  readonly pipeline: Pipeline
  readonly tricks: ReadonlyArray<TrickName>
  /** What the baseline has, too. */
  readonly given: ReadonlyArray<TrickName>
}

export const ablationExperiment = ({ given, name, pipeline, question, tricks }: Ablation): Experiment => {
  const made = (numSeeds: number) => ablation(pipeline, { tricks, given, each: false, numSeeds })
  const reportOf = ({ jobs }: Pipeline) => jobs.find((job) => job.name === reportJob)!
  const { rows } = reportOf(made(1)).ref.params as typeof AblationReportParams.Encoded
  return {
    name,
    question,
    variants: rows.map((row) => row.name),
    rows,
    comparedWith: Object.fromEntries(rows.map((row) => [row.name, row.comparedWith])),
    seeds: [1, 2, 3],
    figure: "top1",
    run: async (variant, seed) => {
      const derived = made(seed)
      const evaluations = reportOf(derived).inputs.evaluations as { readonly [name: string]: string }
      const evaluation = evaluations[`${variant}-seed-${seed}`]!
      const model = derived.jobs.find((job) => job.name === evaluation)!.inputs.model as string
      const manifestOf = await resultsOf(derived, [evaluation])
      return outcomeOf(manifestOf(model), manifestOf(evaluation))
    }
  }
}
