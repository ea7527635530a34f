/** What an ablation's jobs took together, and what they would have taken without sharing results. */
import { dependenciesOf, type Pipeline } from "../../lib/workflow/Pipeline.ts"
import type { RunOutcome } from "../../lib/workflow/Runner.ts"

type Manifests = RunOutcome["manifests"]

export interface SharedWork {
  /** Every evaluation with all it is made of, from the beginning. */
  readonly aloneSeconds: number
  /** Every job once, in this run or an earlier one. */
  readonly togetherSeconds: number
  /** The jobs that ran now. */
  readonly nowSeconds: number
}

const isCount = (value: unknown): value is number => typeof value === "number" && value > 0

/**
 * What its body took, and would have taken with no stored epochs to go on from. An attempt that was cut off
 * leaves states but no record of its time: its epochs count as much as the others, what it did of one that it
 * did not end counts nothing.
 */
export const secondsOf = (
  manifests: Manifests,
  job: string
): { readonly ran: number; readonly whole: number } => {
  const { fold, seconds } = manifests[job]?.provenance ?? {}
  const last = isCount(seconds) ? seconds : 0
  const { elements, found, own = 0 } = (fold ?? {}) as Readonly<Record<string, unknown>>
  if (!isCount(elements) || !isCount(found) || found >= elements) return { ran: last, whole: last }
  const each = last / (elements - found)
  return { ran: last + each * (isCount(own) ? own : 0), whole: each * elements }
}

/** A job and all it is made of. */
const closureOf = (pipeline: Pipeline, name: string): ReadonlySet<string> => {
  const found = new Set([name])
  for (const job of [...pipeline.jobs].reverse()) {
    if (found.has(job.name)) for (const input of dependenciesOf(job)) found.add(input)
  }
  return found
}

/** Of evaluations by their jobs' names; one that several rows share is named as often. */
export const sharedWork = (
  pipeline: Pipeline,
  { manifests, report }: RunOutcome,
  evaluations: ReadonlyArray<string>
): SharedWork => {
  const sum = (names: Iterable<string>, part: "ran" | "whole"): number =>
    [...names].reduce((total, name) => total + secondsOf(manifests, name)[part], 0)
  const closures = evaluations.map((name) => closureOf(pipeline, name))
  return {
    aloneSeconds: closures.reduce((total, names) => total + sum(names, "whole"), 0),
    togetherSeconds: sum(new Set(closures.flatMap((names) => [...names])), "ran"),
    nowSeconds: report.jobs.reduce((total, { seconds }) => total + seconds, 0)
  }
}
