/** What a run came to, for people: scores, failures, what to do next. */
import type { Schema } from "effect"
import type { Pipeline } from "../../lib/workflow/Pipeline.ts"
import type { JobRecord, RunReport } from "../../lib/workflow/RunReport.ts"
import type { StoreTraffic } from "../stores/TrafficMeter.ts"
import { chosenParams } from "./chosenParams.ts"
import { bytes, duration, metric, number, percent } from "./numbers.ts"
import { type Paint, printable } from "./paint.ts"
import type { Metrics, RunDocument } from "./RunDocument.ts"
import { type Column, table } from "./table.ts"

/** Metrics that the table knows how to print; others appear as they are named. */
const known: { readonly [name: string]: { readonly title: string; readonly print: (v: number) => string } } =
  {
    top1: { title: "top-1", print: percent },
    top5: { title: "top-5", print: percent },
    ap50: { title: "AP50", print: percent },
    ap: { title: "AP", print: percent },
    ap75: { title: "AP75", print: percent },
    meanIoU: { title: "mIoU", print: percent },
    pixelAccuracy: { title: "pixAcc", print: percent },
    loss: { title: "loss", print: (value) => value.toFixed(4) },
    params: { title: "params", print: metric },
    macs: { title: "MACs", print: metric }
  }

/** A metric's title, or with a value how it is printed. */
export const shownMetric = (name: string, value?: number): string =>
  value === undefined ? (known[name]?.title ?? name) : (known[name]?.print ?? number)(value)

/** The columns that at least one model has, the known ones first. */
const metricNames = (metrics: RunDocument["metrics"]): ReadonlyArray<string> => {
  const found = new Set(Object.values(metrics).flatMap((scores) => Object.keys(scores)))
  const others = [...found].filter((name) => known[name] === undefined).sort()
  return [...Object.keys(known).filter((name) => found.has(name)), ...others]
}

export interface ResultCells {
  readonly columns: ReadonlyArray<Column>
  /** The model's name first. */
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

/** A row per model, the best known columns first; no rows where nothing was evaluated. */
const resultCells = (metrics: RunDocument["metrics"]): ResultCells => {
  const names = metricNames(metrics)
  const cell = (scores: Metrics, name: string): string => {
    const value = scores[name]
    return value === undefined ? "" : (known[name]?.print ?? number)(value)
  }
  return {
    columns: [
      { title: "model" },
      ...names.map((name) => ({ title: known[name]?.title ?? name, align: "right" as const }))
    ],
    rows: Object.entries(metrics).map(([job, scores]) => [job, ...names.map((name) => cell(scores, name))])
  }
}

/** A model's task shows in what it was scored by: detectors, segmenters, and the rest. */
const isOfTask: ReadonlyArray<(scores: Metrics) => boolean> = [
  (scores) => scores.ap50 === undefined && scores.meanIoU === undefined,
  (scores) => scores.ap50 !== undefined,
  (scores) => scores.meanIoU !== undefined
]

/** A table for the models of each task, as scores of different tasks are not to be compared. */
export const resultTables = (metrics: RunDocument["metrics"]): ReadonlyArray<ResultCells> =>
  isOfTask
    .map((isOne) => Object.fromEntries(Object.entries(metrics).filter(([, scores]) => isOne(scores))))
    .map(resultCells)
    .filter(({ rows }) => rows.length > 0)

/** The same as lines; empty where nothing was evaluated. */
export const resultLines = (metrics: RunDocument["metrics"], paint: Paint): ReadonlyArray<string> =>
  resultTables(metrics).flatMap(({ columns, rows }, index) => [
    ...(index === 0 ? [] : [""]),
    ...table(
      columns,
      rows.map(([model = "", ...cells]) => [paint.bold(model), ...cells]),
      paint
    )
  ])

/** `store: 12 objects read (3.4 MB), 5 written (1.2 MB), 40 looked up; 7 blobs (1.1 GB) were here already` */
export const trafficLine = (traffic: StoreTraffic): string => {
  const { bytesRead, bytesWritten, cacheBytes, cacheHits, objectsRead, objectsWritten } = traffic
  const here = cacheHits === 0 ? "" : `; ${number(cacheHits)} blobs (${bytes(cacheBytes)}) were here already`
  return (
    `store: ${number(objectsRead)} objects read (${bytes(bytesRead)}), ` +
    `${number(objectsWritten)} written (${bytes(bytesWritten)}), ` +
    `${number(traffic.objectsLookedUp)} looked up${here}`
  )
}

/** `9 jobs in 2:05: 3 ran, 6 hits`. */
export const countsLine = ({ jobs, seconds }: RunReport): string => {
  const count = (state: JobRecord["state"], one: string, many: string): ReadonlyArray<string> => {
    const found = jobs.filter((job) => job.state === state).length
    return found === 0 ? [] : [`${found} ${found === 1 ? one : many}`]
  }
  const states = [
    ...count("ran", "ran", "ran"),
    ...count("hit", "hit", "hits"),
    ...count("failed", "failed", "failed"),
    ...count("skipped", "skipped", "skipped")
  ]
  return `${jobs.length} ${jobs.length === 1 ? "job" : "jobs"} in ${duration(seconds)}: ${states.join(", ")}`
}

const numTailLines = 15

const indented = (text: string, by: string): ReadonlyArray<string> =>
  printable(text)
    .split("\n")
    .map((line) => `${by}${line}`.trimEnd())

export interface FailedJob {
  readonly job: JobRecord
  readonly params: Schema.JsonObject
  /** Those of them that are no defaults. */
  readonly chosen: Schema.JsonObject
  /** What runs this job alone again. */
  readonly rerun: string
}

/** All params where they fit on a line, else those that were chosen. */
const paramsText = ({ chosen, params }: FailedJob): string => {
  const all = printable(JSON.stringify(params))
  if (all.length <= 100) return all
  return JSON.stringify(chosen) === JSON.stringify(params)
    ? all
    : `${printable(JSON.stringify(chosen))}, the others are the stage's defaults`
}

/** Stage, job, params, the error, earlier attempts, the end of its log, and how to run it alone. */
export const failureLines = (failed: FailedJob, paint: Paint): ReadonlyArray<string> => {
  const { job, rerun } = failed
  const { error } = job
  if (error === null) return []
  const tail = error.logTail.slice(-numTailLines)
  return [
    `${paint.red("error")}: job ${paint.bold(job.name)} (stage ${job.stage}) failed`,
    ...indented(error.message, "  "),
    ...job.notes.flatMap((note) => indented(note, "  ")),
    `  ${paint.dim("params")}  ${paramsText(failed)}`,
    ...(tail.length === 0
      ? []
      : [`  ${paint.dim("log")}`, ...tail.flatMap((line) => indented(line, "    "))]),
    `  ${paint.dim("again")}   ${rerun}`
  ]
}

export const failedJobs = (
  pipeline: Pipeline,
  report: RunReport,
  rerun: (job: string) => string
): ReadonlyArray<FailedJob> =>
  report.jobs
    .filter((job) => job.state === "failed")
    .map((job) => {
      const ref = pipeline.jobs.find(({ name }) => name === job.name)?.ref
      const params = ref?.params ?? {}
      const chosen = ref === undefined ? {} : chosenParams(ref.stage.params, params)
      return { job, params, chosen, rerun: rerun(job.name) }
    })
