/** One line a job: while it runs, and when it is done. */
import { clock, duration, number } from "./numbers.ts"
import { fitted, oneLine, type Paint, paintFor, widthOf } from "./paint.ts"
import { type RunningJob, type RunView, type SeenEvent, secondsLeft, type WaitingJob } from "./RunView.ts"

const barColumns = 16
const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧"]
const spinnerMillis = 125

/** A part of a line; where the line is too long, parts of the highest rank go first. */
interface Part {
  readonly rank: number
  readonly text: string
}

const fractionOf = (job: RunningJob): number | undefined => {
  const progress = job.progress
  if (progress === undefined || !(progress.total > 0)) return undefined
  return Math.min(1, Math.max(0, progress.done / progress.total))
}

const bar = (fraction: number, paint: Paint): string => {
  const filled = Math.round(fraction * barColumns)
  return paint.green("━".repeat(filled)) + paint.dim("─".repeat(barColumns - filled))
}

/** Facts whose name is a rate stand behind their value (`820 images/s`), others before it (`loss 0.4213`). */
const fact = ([name, value]: readonly [string, number]): string => {
  const label = oneLine(name)
  return label.includes("/s") ? `${number(value)} ${label}` : `${label} ${number(value)}`
}

const progressParts = (job: RunningJob, nowMillis: number, paint: Paint): ReadonlyArray<Part> => {
  const { progress } = job
  if (progress === undefined) {
    const elapsed = clock((nowMillis - job.startedAtMillis) / 1000)
    return [{ rank: 1, text: paint.dim(`${job.stage}, starting  ${elapsed}`) }]
  }
  const fraction = fractionOf(job)
  const left = secondsLeft(job, nowMillis)
  const elapsed = clock((nowMillis - job.startedAtMillis) / 1000)
  const facts = Object.entries(progress.facts).map(fact)
  const counted =
    facts.length > 0
      ? []
      : [`${number(progress.done)} of ${number(progress.total)} ${oneLine(progress.unit)}`]
  return [
    { rank: 1, text: oneLine(progress.phase) },
    ...(fraction === undefined
      ? []
      : [
          { rank: 50, text: bar(fraction, paint) },
          { rank: 0, text: `${String(Math.floor(fraction * 100)).padStart(3)} %` }
        ]),
    ...[...facts, ...counted].map((text, index) => ({ rank: 10 + index, text })),
    { rank: 2, text: left === undefined ? paint.dim(elapsed) : `ETA ${clock(left)}` }
  ]
}

const joined = (parts: ReadonlyArray<Part>): string => parts.map(({ text }) => text).join("  ")

/** Leaves parts out until the line fits. */
const fittedParts = (parts: ReadonlyArray<Part>, columns: number): string => {
  if (widthOf(joined(parts)) <= columns || parts.length === 0) return joined(parts)
  const highest = Math.max(...parts.map(({ rank }) => rank))
  return fittedParts(
    parts.filter(({ rank }) => rank !== highest),
    columns
  )
}

/** A line at the bottom of a terminal: how wide it may be, at what time, in which colours. */
export interface LiveLine {
  readonly nowMillis: number
  readonly columns: number
  readonly paint: Paint
}

const liveLine = (name: string, mark: string, parts: ReadonlyArray<Part>, line: LiveLine): string => {
  const shown = fitted(name, Math.max(1, line.columns - 2))
  const rest = fittedParts(parts, line.columns - 2 - widthOf(shown) - 2)
  return `${mark} ${line.paint.bold(shown)}${rest === "" ? "" : `  ${rest}`}`
}

/** The live line of a running job. */
export const runningLine = (view: RunView, job: RunningJob, line: LiveLine): string => {
  const { nowMillis, paint } = line
  const frame = spinner[Math.floor(nowMillis / spinnerMillis) % spinner.length]!
  const parts = progressParts(job, nowMillis, paint)
  return liveLine(job.name.padEnd(view.nameColumns), paint.cyan(frame), parts, line)
}

const holderParts = ({ holder }: WaitingJob, nowMillis: number): ReadonlyArray<Part> => {
  if (holder === undefined) return [{ rank: 0, text: "waits for another run" }]
  const { host, pid, runId } = holder.owner
  const since = new Date(holder.since)
  const elapsed = clock((nowMillis - since.getTime()) / 1000)
  return [
    { rank: 1, text: `waits for run ${oneLine(runId)} on ${oneLine(host)} (pid ${pid}),` },
    { rank: 2, text: `computing since ${since.toTimeString().slice(0, 5)},` },
    { rank: 0, text: elapsed }
  ]
}

/** The live line of a job that another run computes. */
export const waitingLine = (view: RunView, job: WaitingJob, line: LiveLine): string => {
  const parts = holderParts(job, line.nowMillis)
  return liveLine(job.name.padEnd(view.nameColumns), line.paint.yellow("…"), parts, line)
}

/** The same for a log. */
export const waitingNote = (job: WaitingJob, nowMillis: number): string =>
  `${job.name}: ${holderParts(job, nowMillis)
    .map(({ text }) => text)
    .join(" ")}`

/** The same for a log: no spinner, no bar. */
export const progressLine = (job: RunningJob, nowMillis: number): string => {
  const parts = progressParts(job, nowMillis, paintFor(false)).filter(({ rank }) => rank !== 50)
  return `${job.name}: ${joined(parts).trim()}`
}

/** How far it was at that time, told later: no name, no time that is left. */
export const pastProgress = (job: RunningJob, nowMillis: number): string => {
  const parts = progressParts(job, nowMillis, paintFor(false))
  return joined(parts.filter(({ rank }) => rank !== 50 && rank !== 2))
}

/** `attempt 1 of 3 failed, tries again in 2 s: …`, the error's first line. */
export const retryText = ({
  attempt,
  attemptsMax,
  error,
  waitSeconds
}: Extract<SeenEvent, { _tag: "JobRetrying" }>) =>
  `attempt ${attempt} of ${attemptsMax} failed, tries again in ${waitSeconds.toFixed(1)} s: ` +
  oneLine(error.message.split("\n")[0]!).replace(/:$/, "")

/** The line of a job, or of an attempt, that is done with; `undefined` for events that end none. */
export const finishedLine = (
  view: RunView,
  event: SeenEvent,
  nowMillis: number,
  paint: Paint
): string | undefined => {
  const name = (job: string): string => paint.bold(job.padEnd(view.nameColumns))
  const since = (job: string): string => {
    const running = view.running.get(job)
    return running === undefined ? "" : ` after ${duration((nowMillis - running.startedAtMillis) / 1000)}`
  }
  switch (event._tag) {
    case "JobHit":
      return `${paint.green("✓")} ${name(event.job)}  ${paint.dim("hit")}`
    case "JobFinished":
      return `${paint.green("✓")} ${name(event.job)}  ran in ${duration(event.seconds)}`
    case "JobRetrying":
      return `${paint.yellow("↻")} ${name(event.job)}  ${retryText(event)}`
    case "JobFailed":
      return `${paint.red("✗")} ${name(event.job)}  ${paint.red("failed")}${since(event.job)}`
    case "JobSkipped":
      // A job that was running did not fail: it stopped because it was asked to.
      if (view.running.has(event.job)) {
        return `${paint.yellow("■")} ${name(event.job)}  stopped${since(event.job)}, its state is kept`
      }
      return `${paint.dim("-")} ${name(event.job)}  ${paint.dim(`skipped: ${oneLine(event.because)}`)}`
    default:
      return undefined
  }
}
