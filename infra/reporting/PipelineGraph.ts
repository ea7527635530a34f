/** A planned pipeline as a graph, for drawing it in whatever form. */
import type { Plan } from "../../lib/workflow/Plan.ts"
import { planDocument } from "./planTable.ts"

export interface GraphJob {
  readonly name: string
  readonly stage: string
  /** `hit`, or what it is still to do: `will-run`, `waits`. */
  readonly state: string
  readonly reason: string
  /** The jobs it reads from, each once. */
  readonly reads: ReadonlyArray<string>
}

export interface PipelineGraph {
  readonly pipeline: string
  /** Every job behind those it reads from. */
  readonly jobs: ReadonlyArray<GraphJob>
}

export const graphOf = (plan: Plan): PipelineGraph => {
  const { jobs, pipeline } = planDocument(plan)
  return {
    pipeline,
    jobs: jobs.map(({ name, reason, stage, state }, index) => ({
      name,
      stage,
      state,
      reason,
      reads: plan.jobs[index]!.dependsOn
    }))
  }
}
