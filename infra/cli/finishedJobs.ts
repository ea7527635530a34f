/** What the latest runs finished: how people name a result, `pipeline/job`. */
import { Effect } from "effect"
import type { Digest } from "../../lib/storage/Digest.ts"
import type { RunReport } from "../../lib/workflow/RunReport.ts"
import { recentRuns } from "./runs.ts"

/** As many as are worth looking through: older ones are reached by running their pipeline again. */
const numRuns = 50

export interface FinishedJob {
  readonly pipeline: string
  readonly job: string
  readonly key: Digest
}

/** `path/to/pipeline/job` has its job behind the last slash. */
export const splitName = (text: string): { readonly pipeline: string | undefined; readonly job: string } => {
  const slash = text.lastIndexOf("/")
  return slash < 0
    ? { pipeline: undefined, job: text }
    : { pipeline: text.slice(0, slash), job: text.slice(slash + 1) }
}

export const nameOf = ({ job, pipeline }: FinishedJob): string => `${pipeline}/${job}`

const finishedIn = (runs: ReadonlyArray<RunReport>): ReadonlyArray<FinishedJob> => {
  const found = new Map<string, FinishedJob>()
  for (const { jobs, pipeline } of runs) {
    for (const { key, name: job, state } of jobs) {
      if (key === null || (state !== "hit" && state !== "ran")) continue
      const name = `${pipeline}/${job}`
      if (!found.has(name)) found.set(name, { pipeline, job, key })
    }
  }
  return [...found.values()]
}

/** The finished jobs of the latest run of each pipeline that has them, latest first. */
export const finishedJobs = Effect.map(recentRuns(numRuns), finishedIn)
