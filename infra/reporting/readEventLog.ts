/** Reads the log of a run, also while another process writes it. */
import { existsSync } from "node:fs"
import { open, readdir, readFile, stat } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import type { RunReport } from "../../lib/workflow/RunReport.ts"
import { processExists } from "../processExists.ts"
import { logExtension, touchMillis } from "./eventLog.ts"
import { eventFrom, type LoggedEvent, type LoggedStart } from "./LoggedEvent.ts"

/** `killed`: its process is gone and said nothing of an end. */
export type RunStatus = RunReport["status"] | "running" | "killed"

export interface RunLog {
  readonly start: LoggedStart & { readonly at: number }
  readonly events: ReadonlyArray<LoggedEvent>
  readonly status: RunStatus
}

export const logFile = (folder: string, runId: string): string => join(folder, `${runId}${logExtension}`)

/** Ids of the runs that have a log, in the order of time. */
export const loggedRuns = async (folder: string): Promise<ReadonlyArray<string>> => {
  const names = await readdir(folder).catch(() => [])
  return names
    .filter((name) => name.endsWith(logExtension))
    .map((name) => name.slice(0, -logExtension.length))
    .sort()
}

/** A process id may be another's by now; a run on another machine is known by its touch alone. */
const staleMillis = 6 * touchMillis

const goesOn = async (file: string, { host, pid }: LoggedStart): Promise<boolean> => {
  if (host === hostname() && !processExists(pid)) return false
  const touched = await stat(file).catch(() => undefined)
  return touched !== undefined && Date.now() - touched.mtimeMs < staleMillis
}

const isStart = (event: LoggedEvent): event is RunLog["start"] => event._tag === "RunStarted"

const statusOf = async (
  file: string,
  events: ReadonlyArray<LoggedEvent>,
  start: LoggedStart
): Promise<RunStatus> => {
  const end = events.find((event) => event._tag === "RunFinished")
  if (end !== undefined) return end.status
  return (await goesOn(file, start)) ? "running" : "killed"
}

/** `undefined` where there is no log, or one that does not even begin. */
export const readEventLog = async (folder: string, runId: string): Promise<RunLog | undefined> => {
  const file = logFile(folder, runId)
  if (!existsSync(file)) return undefined
  const events = (await readFile(file, "utf8")).split("\n").flatMap((line) => eventFrom(line) ?? [])
  const start = events.find(isStart)
  return start === undefined ? undefined : { start, events, status: await statusOf(file, events, start) }
}

const pollMillis = 200

/** Complete lines from `offset` on, and where the next one begins. */
const linesFrom = async (
  file: string,
  offset: number
): Promise<{ readonly lines: ReadonlyArray<string>; readonly offset: number }> => {
  const handle = await open(file, "r")
  try {
    const { size } = await handle.stat()
    const bytes = new Uint8Array(Math.max(0, size - offset))
    await handle.read(bytes, 0, bytes.length, offset)
    const end = bytes.lastIndexOf(0x0a) + 1
    const text = new TextDecoder().decode(bytes.subarray(0, end))
    return { lines: text.split("\n").slice(0, -1), offset: offset + end }
  } finally {
    await handle.close()
  }
}

/** Gives events as they are written, from the first one on, until the run ends or its process is gone. */
export const followEventLog = Effect.fn("followEventLog")(function* <E, R>(
  folder: string,
  runId: string,
  onEvents: (events: ReadonlyArray<LoggedEvent>) => Effect.Effect<void, E, R>
) {
  const file = logFile(folder, runId)
  let offset = 0
  let start: LoggedStart | undefined
  for (;;) {
    // Asked before reading: what a dying process wrote last is read in any case.
    const running: boolean =
      start === undefined || (yield* Effect.promise(() => goesOn(file, start as LoggedStart)))
    const read = yield* Effect.promise(() => linesFrom(file, offset))
    offset = read.offset
    const events = read.lines.flatMap((line) => eventFrom(line) ?? [])
    start ??= events.find(isStart)
    if (events.length > 0) yield* onEvents(events)
    const end = events.find((event) => event._tag === "RunFinished")
    if (end !== undefined) return end.status as RunStatus
    if (!running) return "killed" as RunStatus
    yield* Effect.sleep(pollMillis)
  }
})
