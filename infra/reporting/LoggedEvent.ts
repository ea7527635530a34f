/**
 * The events of a run as its log keeps them: one JSON object a line, with the time, the plan and the report
 * cut to what a reader of the log looks at.
 */

import { jsonValue } from "../../lib/storage/jsonValue.ts"
import type { RunEvent } from "../../lib/workflow/RunEvent.ts"
import type { RunReport } from "../../lib/workflow/RunReport.ts"
import { planDocument } from "./planTable.ts"

export interface LoggedStart {
  readonly _tag: "RunStarted"
  readonly schemaVersion: 1
  readonly runId: string
  readonly pipeline: string
  /** Who runs it: whether it still does is asked of the system. */
  readonly host: string
  readonly pid: number
  readonly plan: {
    readonly jobs: ReadonlyArray<{
      readonly name: string
      readonly stage: string
      /** As planned: `hit`, `will-run`, `waits` or `not-selected`. */
      readonly state: string
      readonly reason: string
    }>
  }
}

export interface LoggedEnd {
  readonly _tag: "RunFinished"
  readonly status: RunReport["status"]
  readonly seconds: number
}

export type LoggedEvent = {
  /** Milliseconds since 1970. */
  readonly at: number
} & (Exclude<RunEvent, { readonly _tag: "RunStarted" | "RunFinished" }> | LoggedStart | LoggedEnd)

export const loggedEvent = (
  event: RunEvent,
  at: number,
  process: { readonly host: string; readonly pid: number }
): LoggedEvent => {
  switch (event._tag) {
    case "RunStarted": {
      const { jobs, pipeline } = planDocument(event.plan)
      const planned = jobs.map(({ name, reason, stage, state }) => ({ name, stage, state, reason }))
      const { runId } = event
      const plan = { jobs: planned }
      return { at, _tag: "RunStarted", schemaVersion: 1, runId, pipeline, ...process, plan }
    }
    case "RunFinished": {
      const { seconds, status } = event.report
      return { at, _tag: "RunFinished", status, seconds }
    }
    default:
      return { at, ...event }
  }
}

/** `undefined` for a line that was cut off by a crash, or is of another kind. */
export const eventFrom = (line: string): LoggedEvent | undefined => {
  try {
    const read = jsonValue(line) as Partial<LoggedEvent> | null
    const isEvent = typeof read?.at === "number" && typeof read._tag === "string"
    return isEvent ? (read as LoggedEvent) : undefined
  } catch {
    return undefined
  }
}
