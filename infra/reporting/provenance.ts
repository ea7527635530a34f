/** What a manifest says of how its result came to be, for people and for documents. */
import type { Manifest } from "../../lib/workflow/Manifest.ts"

export interface Made {
  readonly pipeline: string
  readonly job: string
  /** ISO 8601, UTC. */
  readonly createdAt: string | null
  readonly seconds: number | null
  readonly runId: string | null
}

/** Provenance is free in form: what is of another kind than expected counts as absent. */
export const madeBy = ({ job, pipeline, provenance }: Manifest): Made => {
  const { createdAt, runId, seconds } = provenance
  return {
    pipeline,
    job,
    createdAt: typeof createdAt === "string" ? createdAt : null,
    seconds: typeof seconds === "number" ? seconds : null,
    runId: typeof runId === "string" ? runId : null
  }
}
