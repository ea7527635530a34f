/** The log of a run for people: job by job, or as it happened. */

import type { LoggedEvent } from "./LoggedEvent.ts"
import { finishedLine, pastProgress, retryText, waitingNote } from "./lines.ts"
import { duration } from "./numbers.ts"
import { oneLine, type Paint } from "./paint.ts"
import { lineFor } from "./plainReporter.ts"
import { advance, emptyView, type RunView } from "./RunView.ts"
import type { RunLog, RunStatus } from "./readEventLog.ts"

const two = (value: number): string => String(value).padStart(2, "0")

/** `16:30:05`, in the time of this machine. */
const timeOfDay = (at: number): string => {
  const date = new Date(at)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":")
}

/** `2026-11-24 16:30:05`, in the time of this machine. */
export const dateAndTime = (at: number): string => {
  const date = new Date(at)
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(two).join("-")
  return `${day} ${timeOfDay(at)}`
}

const statusShown = (status: RunStatus, paint: Paint): string => {
  switch (status) {
    case "ok":
      return paint.green("ok")
    case "failed":
    case "killed":
      return paint.red(status)
    case "stopped":
    case "running":
      return paint.yellow(status)
  }
}

/** `run 20261124-… of quickstart: ok`, and when it was. */
export const runHeadline = (
  run: { readonly runId: string; readonly pipeline: string; readonly status: RunStatus },
  paint: Paint
): string => `run ${paint.bold(run.runId)} of ${paint.bold(run.pipeline)}: ${statusShown(run.status, paint)}`

/** What stands under a job, between its beginning and its end. */
const detail = (view: RunView, event: LoggedEvent, paint: Paint): string | undefined => {
  switch (event._tag) {
    case "JobNote":
      return oneLine(event.line)
    case "JobOutput":
      return `${paint.dim("|")} ${oneLine(event.line)}`
    case "JobProgress": {
      const job = view.running.get(event.job)
      return job === undefined ? undefined : pastProgress(job, event.at)
    }
    case "JobRetrying":
      return paint.yellow(retryText(event))
    case "JobWaiting": {
      const job = view.waiting.get(event.job)
      return job === undefined ? undefined : waitingNote(job, event.at).slice(event.job.length + 2)
    }
    default:
      return undefined
  }
}

interface JobLines {
  readonly end: string | undefined
  readonly details: ReadonlyArray<string>
}

const linesOfJob = (name: string, log: RunLog, paint: Paint): JobLines => {
  let view = emptyView
  let end: string | undefined
  const details: Array<string> = []
  for (const event of log.events) {
    const before = view
    view = advance(view, event, event.at)
    if (!("job" in event) || event.job !== name) continue
    const shown = detail(view, event, paint)
    if (shown === undefined) end = finishedLine(before, event, event.at, paint) ?? end
    else details.push(`    ${paint.dim(timeOfDay(event.at))}  ${shown}`)
    if (event._tag === "JobFailed") {
      details.push(...event.error.message.split("\n").map((line) => `    ${oneLine(line)}`))
    }
  }
  return { end: end ?? unendedLine(name, view, log, paint), details }
}

/** A job that has not ended: it runs, went down with its process, or was never come to. */
const unendedLine = (name: string, view: RunView, { status }: RunLog, paint: Paint): string => {
  const running = view.running.get(name)
  const shown = paint.bold(name.padEnd(view.nameColumns))
  if (running === undefined) return `${paint.dim("·")} ${shown}  ${paint.dim("not started")}`
  const began = timeOfDay(running.startedAtMillis)
  return status === "running"
    ? `${paint.cyan("▸")} ${shown}  running since ${began}`
    : `${paint.red("✗")} ${shown}  ${paint.red("ended with its process")}, started at ${began}`
}

/** A head, then every job with all that was told of it; `jobs` are those to show. */
export const logByJob = (log: RunLog, jobs: ReadonlyArray<string>, paint: Paint): ReadonlyArray<string> => {
  const { at, host, pid } = log.start
  const end = log.events.find((event) => event._tag === "RunFinished")
  const took = end === undefined ? "" : `, took ${duration(end.seconds)}`
  return [
    runHeadline({ ...log.start, status: log.status }, paint),
    ...log.events.flatMap((event) => (event._tag === "RunNote" ? [oneLine(event.line)] : [])),
    paint.dim(`started at ${dateAndTime(at)} by process ${pid} on ${host}${took}`),
    "",
    ...jobs.flatMap((name) => {
      const { details, end: ended } = linesOfJob(name, log, paint)
      return [...(ended === undefined ? [] : [ended]), ...details]
    })
  ]
}

/** Turns events into lines in the order in which they happened; one for each run. */
export const chronicle = (jobs: ReadonlyArray<string> | undefined, paint: Paint) => {
  let view = emptyView
  return (event: LoggedEvent): ReadonlyArray<string> => {
    const before = view
    view = advance(view, event, event.at)
    if (event._tag === "RunStarted") {
      return [`run ${paint.bold(event.runId)} of ${paint.bold(event.pipeline)}, ${dateAndTime(event.at)}`]
    }
    if (event._tag === "RunNote") return [`${paint.dim(timeOfDay(event.at))}  ${oneLine(event.line)}`]
    if (!("job" in event) || jobs?.includes(event.job) === false) return []
    const shown = detail(view, event, paint)
    const line =
      shown === undefined ? lineFor(before, view, event, event.at, paint) : `${event.job}: ${shown}`
    return line === undefined ? [] : [`${paint.dim(timeOfDay(event.at))}  ${line}`]
  }
}
