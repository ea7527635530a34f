/** How two runs differ: their jobs and why, their scores, how long they took. */
import type { Change } from "../../lib/workflow/Explain.ts"
import type { JobRecord, RunReport } from "../../lib/workflow/RunReport.ts"
import { runHeadline } from "./logLines.ts"
import { duration } from "./numbers.ts"
import { oneLine, type Paint } from "./paint.ts"
import type { Metrics, RunDocument } from "./RunDocument.ts"
import { countsLine, shownMetric } from "./summary.ts"
import { table } from "./table.ts"

export interface JobDifference {
  readonly name: string
  readonly kind: "added" | "removed" | "changed" | "same"
  readonly before: JobRecord | undefined
  readonly after: JobRecord | undefined
  /** Of a job whose key changed; `undefined` where one of its results is gone. */
  readonly changes: ReadonlyArray<Change> | undefined
  /** Whether the results are equal, though the keys may differ. */
  readonly sameResult: boolean
}

export interface ScoreDifference {
  readonly model: string
  readonly metric: string
  readonly before: number | undefined
  readonly after: number | undefined
}

export interface RunDifferences {
  readonly before: RunReport
  readonly after: RunReport
  readonly jobs: ReadonlyArray<JobDifference>
  readonly scores: ReadonlyArray<ScoreDifference>
}

type Scores = RunDocument["metrics"]

/** Every score that one of the runs has, the models in the order of the later run. */
export const scoreDifferences = (before: Scores, after: Scores): ReadonlyArray<ScoreDifference> => {
  const models = [...new Set([...Object.keys(after), ...Object.keys(before)])]
  const none: Metrics = {}
  return models.flatMap((model) => {
    const [old, now] = [before[model] ?? none, after[model] ?? none]
    const metrics = [...new Set([...Object.keys(now), ...Object.keys(old)])]
    return metrics.map((metric) => ({ model, metric, before: old[metric], after: now[metric] }))
  })
}

const timeOf = (record: JobRecord | undefined): string => {
  if (record === undefined) return "-"
  return record.state === "ran" ? duration(record.seconds) : record.state
}

const whyOf = ({ changes, kind, sameResult }: JobDifference): string => {
  if (kind === "added" || kind === "removed") return kind
  if (changes === undefined) return "another key; its results are no longer both there"
  const texts = changes.map(({ text }) => text).join(", ")
  return sameResult ? `${texts}, with the same result` : texts
}

const jobRows = (jobs: ReadonlyArray<JobDifference>, paint: Paint) =>
  jobs.map((job) => [paint.bold(job.name), timeOf(job.before), timeOf(job.after), oneLine(whyOf(job))])

const signed = ({ after, before, metric }: ScoreDifference, paint: Paint): string => {
  if (before === undefined || after === undefined) return ""
  const difference = after - before
  if (difference === 0) return paint.dim("=")
  const sign = difference > 0 ? "+" : "-"
  return `${sign}${shownMetric(metric, Math.abs(difference))}`
}

const scoreRows = (scores: ReadonlyArray<ScoreDifference>, paint: Paint) =>
  scores.map((score) => [
    paint.bold(score.model),
    shownMetric(score.metric),
    score.before === undefined ? "-" : shownMetric(score.metric, score.before),
    score.after === undefined ? "-" : shownMetric(score.metric, score.after),
    signed(score, paint)
  ])

const right = (title: string) => ({ title, align: "right" as const })

export const differenceLines = (
  { after, before, jobs, scores }: RunDifferences,
  paint: Paint
): ReadonlyArray<string> => {
  const differing = jobs.filter(({ kind }) => kind !== "same")
  const numSame = jobs.length - differing.length
  const same = `${numSame} ${numSame === 1 ? "job is" : "jobs are"} the same`
  return [
    `${runHeadline(before, paint)}, ${countsLine(before)}`,
    `${runHeadline(after, paint)}, ${countsLine(after)}`,
    "",
    ...(differing.length === 0
      ? ["All jobs are the same."]
      : [
          ...table(
            [{ title: "job" }, right("before"), right("after"), { title: "what changed" }],
            jobRows(differing, paint),
            paint
          ),
          ...(numSame === 0 ? [] : [paint.dim(same)])
        ]),
    ...(scores.length === 0
      ? []
      : [
          "",
          ...table(
            [{ title: "model" }, { title: "score" }, right("before"), right("after"), right("difference")],
            scoreRows(scores, paint),
            paint
          )
        ])
  ]
}

const runDocument = ({ pipeline, runId, seconds, startedAt, status }: RunReport) => ({
  runId,
  pipeline,
  status,
  startedAt,
  seconds
})

const recordDocument = (record: JobRecord | undefined) =>
  record === undefined
    ? null
    : { state: record.state, key: record.key, seconds: record.seconds, outputDigest: record.outputDigest }

export const differenceDocument = ({ after, before, jobs, scores }: RunDifferences) => ({
  schemaVersion: 1,
  before: runDocument(before),
  after: runDocument(after),
  jobs: jobs.map(({ changes, kind, name, sameResult, ...records }) => ({
    name,
    kind,
    sameResult,
    before: recordDocument(records.before),
    after: recordDocument(records.after),
    changes: changes ?? null
  })),
  scores: scores.map((score) => ({ ...score, before: score.before ?? null, after: score.after ?? null }))
})
