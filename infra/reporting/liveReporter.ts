/** Progress on a terminal: a live line per running job, a line that stays for each job that is done. */
import { Clock, Effect, Schedule } from "effect"
import type { RunEvent } from "../../lib/workflow/RunEvent.ts"
import { finishedLine, runningLine, waitingLine } from "./lines.ts"
import { oneLine, type Paint, widthOf } from "./paint.ts"
import type { RunReporter } from "./RunReporter.ts"
import { advance, emptyView, type RunView } from "./RunView.ts"
import { LiveBlock, type Screen } from "./Screen.ts"

const frameMillis = 100

const liveLines = (view: RunView, nowMillis: number, screen: Screen, paint: Paint): ReadonlyArray<string> => {
  const room = Math.max(1, screen.rows() - 2)
  // The last column stays free: some terminals wrap as soon as it is written.
  const columns = Math.max(8, screen.columns() - 1)
  const line = { nowMillis, columns, paint }
  const lines = [
    ...[...view.running.values()].map((job) => runningLine(view, job, line)),
    ...[...view.waiting.values()].map((job) => waitingLine(view, job, line))
  ]
  if (lines.length <= room) return lines
  return [...lines.slice(0, room - 1), paint.dim(`  and ${lines.length - room + 1} more jobs`)]
}

const lasting = (view: RunView, event: RunEvent, nowMillis: number, paint: Paint): ReadonlyArray<string> => {
  if (event._tag === "RunNote") return [paint.dim(`  ${oneLine(event.line)}`)]
  if (event._tag === "JobNote") return [paint.dim(`  ${event.job}: ${oneLine(event.line)}`)]
  const line = finishedLine(view, event, nowMillis, paint)
  return line === undefined ? [] : [line]
}

/** Draws at most ten times a second; the terminal is as it was when the scope closes. */
export const makeLiveReporter = Effect.fn("makeLiveReporter")(function* (screen: Screen, paint: Paint) {
  let view = emptyView
  const block = new LiveBlock(screen, widthOf)
  yield* Effect.addFinalizer(() => Effect.sync(() => block.close()))
  const print = (lines: ReadonlyArray<string>, now: number) =>
    block.print(lines, liveLines(view, now, screen, paint))
  const redraw = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    if (view.running.size + view.waiting.size > 0) block.draw(liveLines(view, now, screen, paint))
  })
  yield* Effect.forkScoped(Effect.repeat(redraw, Schedule.spaced(frameMillis)))
  return {
    emit: Effect.fnUntraced(function* (event) {
      const now = yield* Clock.currentTimeMillis
      const printed = lasting(view, event, now, paint)
      view = advance(view, event, now)
      if (printed.length > 0) print(printed, now)
      if (event._tag === "RunFinished") block.close()
    }),
    announce: (line) => Effect.map(Clock.currentTimeMillis, (now) => print([line], now))
  } satisfies RunReporter as RunReporter
})
