/**
 * What `run --json` prints: the run's report and the scores of the models it made, for other programs to
 * read.
 */
import type { Pipeline, PipelineJob } from "../../lib/workflow/Pipeline.ts"
import type { RunOutcome } from "../../lib/workflow/Runner.ts"
import type { JobRecord } from "../../lib/workflow/RunReport.ts"
import type { StoreTraffic } from "../stores/TrafficMeter.ts"

/** Scores by name; fractions 0…1, `params` and `macs` counts. */
export interface Metrics {
  readonly [metric: string]: number
}

export interface JobDocument {
  readonly name: string
  readonly stage: string
  readonly key: string | null
  readonly state: JobRecord["state"]
  readonly seconds: number
  /** Content digest of its artifact; null where there is none. */
  readonly outputDigest: string | null
  readonly error?: { readonly tag: string; readonly message: string }
}

export interface RunDocument {
  readonly schemaVersion: 1
  readonly status: "ok" | "failed" | "stopped"
  readonly runId: string
  readonly pipeline: string
  readonly seconds: number
  readonly jobs: ReadonlyArray<JobDocument>
  readonly metrics: { readonly [job: string]: Metrics }
  /** What went to and from the store, for the run and its jobs together; absent where nobody counted. */
  readonly store?: StoreTraffic
  /** Where the report was written; absent where the run made none. */
  readonly report?: string
}

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const numbersOf = (value: unknown): Metrics =>
  Object.fromEntries(
    Object.entries(isRecord(value) ? value : {}).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number"
    )
  )

const modelTypes: ReadonlyArray<string> = ["classifier", "detector", "segmenter"]

type Manifests = RunOutcome["manifests"]

/** The artifact of a job, if it is a model. */
const modelOf = (manifests: Manifests, job: string): { readonly [key: string]: unknown } => {
  const output = manifests[job]?.output
  return output !== undefined && modelTypes.includes(output.type) && isRecord(output.value)
    ? output.value
    : {}
}

/** A job, and the one whose model it scores if it is an evaluation. */
export interface ScoredJob {
  readonly name: string
  readonly model: string | undefined
}

const scoresOf = (manifests: Manifests, job: ScoredJob): ReadonlyArray<readonly [string, Metrics]> => {
  const output = manifests[job.name]?.output
  if (output === undefined || !output.type.startsWith("evaluation/")) return []
  const scored = job.model ?? job.name
  const { numParams, macs } = modelOf(manifests, scored)
  const size = numbersOf({ params: numParams, macs })
  return [[scored, { ...size, ...numbersOf((output.value as { readonly metrics?: unknown }).metrics) }]]
}

/** Scores from every evaluation, under the name of the job whose model was evaluated. */
export const scoresIn = (jobs: ReadonlyArray<ScoredJob>, manifests: Manifests): RunDocument["metrics"] =>
  Object.fromEntries(jobs.flatMap((job) => scoresOf(manifests, job)))

const scoredJob = ({ inputs, name }: PipelineJob): ScoredJob => ({
  name,
  model: typeof inputs.model === "string" ? inputs.model : undefined
})

/** The same of a run that has just ended. */
export const metricsOf = (pipeline: Pipeline, outcome: RunOutcome): RunDocument["metrics"] =>
  scoresIn(pipeline.jobs.map(scoredJob), outcome.manifests)

const jobDocument = ({ error, key, name, outputDigest, seconds, stage, state }: JobRecord): JobDocument => ({
  name,
  stage,
  key,
  state,
  seconds,
  outputDigest,
  ...(error === null ? {} : { error: { tag: error.tag, message: error.message } })
})

export interface RunExtras {
  readonly traffic?: StoreTraffic
  readonly reportFile: string | undefined
}

export const runDocument = (
  pipeline: Pipeline,
  outcome: RunOutcome,
  { reportFile, traffic }: RunExtras
): RunDocument => ({
  schemaVersion: 1,
  status: outcome.report.status,
  runId: outcome.report.runId,
  pipeline: outcome.report.pipeline,
  seconds: outcome.report.seconds,
  jobs: outcome.report.jobs.map(jobDocument),
  metrics: metricsOf(pipeline, outcome),
  ...(traffic === undefined ? {} : { store: traffic }),
  ...(reportFile === undefined ? {} : { report: reportFile })
})
