/** Progress in a pipe, a file or a CI log: lines that only ever grow, few of them. */
import { Clock, Effect } from "effect"
import { finishedLine, progressLine, waitingNote } from "./lines.ts"
import { oneLine, type Paint } from "./paint.ts"
import type { RunReporter } from "./RunReporter.ts"
import { advance, emptyView, type RunView, type SeenEvent } from "./RunView.ts"

const quietMillis = 10_000
/** A new phase (an epoch) is told sooner, unless phases fly by. */
const phaseMillis = 2_000

interface Told {
  readonly atMillis: number
  readonly phase: string
}

const isDue = (told: Told | undefined, phase: string, nowMillis: number): boolean => {
  if (told === undefined) return true
  const since = nowMillis - told.atMillis
  return since >= quietMillis || (phase !== told.phase && since >= phaseMillis)
}

/** The line of an event that is no progress, where it has one. */
export const lineFor = (
  before: RunView,
  after: RunView,
  event: SeenEvent,
  now: number,
  paint: Paint
): string | undefined => {
  if (event._tag === "JobStarted") return `${event.job}: started (${after.stages.get(event.job) ?? "?"})`
  if (event._tag === "RunNote") return oneLine(event.line)
  if (event._tag === "JobWaiting") return waitingNote(after.waiting.get(event.job)!, now)
  if (event._tag === "JobNote") return `${event.job}: ${oneLine(event.line)}`
  return finishedLine(before, event, now, paint)
}

/** `print` takes one line without its end. */
export const makePlainReporter = (print: (line: string) => void, paint: Paint): RunReporter => {
  let view = emptyView
  const told = new Map<string, Told>()
  return {
    emit: Effect.fnUntraced(function* (event) {
      const now = yield* Clock.currentTimeMillis
      const before = view
      view = advance(view, event, now)
      if (event._tag === "JobStarted") told.set(event.job, { atMillis: now, phase: "" })
      if (event._tag === "JobProgress") {
        const { phase } = event.progress
        if (!isDue(told.get(event.job), phase, now)) return
        told.set(event.job, { atMillis: now, phase })
        return print(progressLine(view.running.get(event.job)!, now))
      }
      const line = lineFor(before, view, event, now, paint)
      if (line !== undefined) print(line)
    }),
    announce: (line) => Effect.sync(() => print(line))
  }
}
