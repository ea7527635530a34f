/** Schedules, their ledger and their runs in memory, for schedulers on a test clock. */
import { Clock, Effect, Layer, Result } from "effect"
import {
  NoSuchSchedule,
  type Schedule,
  ScheduleBook,
  ScheduleExists
} from "../../infra/schedule/ScheduleBook.ts"
import { ScheduledRuns } from "../../infra/schedule/ScheduledRuns.ts"
import { type Settled, SlotLedger } from "../../infra/schedule/SlotLedger.ts"
import * as Timetable from "../../infra/schedule/Timetable.ts"

export const scheduleOf = (
  name: string,
  cron: string,
  timezone: string,
  addedAtMillis: number
): Schedule => ({
  name,
  cron,
  timezone,
  pipeline: "quickstart",
  set: [],
  addedAtMillis,
  timetable: Result.getOrThrow(Timetable.parse(cron, timezone))
})

export interface MemoryRun {
  readonly schedule: string
  readonly startedAtMillis: number
  /** Absent while it runs, and for ever if it was interrupted. */
  endedAtMillis?: number
}

export interface MemorySchedules {
  /** May be changed while a scheduler runs. */
  readonly schedules: Array<Schedule>
  readonly runs: Array<MemoryRun>
  /** Another process that has the claim on a schedule. */
  readonly held: Map<string, string>
  readonly settled: Map<string, Settled>
  readonly layer: Layer.Layer<ScheduleBook | ScheduledRuns | SlotLedger>
}

/** `runMillis`: how long a run takes, by schedule; `exitCode`: how it ends. */
export const memorySchedules = (
  initial: ReadonlyArray<Schedule>,
  runMillis: (schedule: string) => number,
  exitCode: (schedule: string) => number = () => 0
): MemorySchedules => {
  const schedules = [...initial]
  const runs: Array<MemoryRun> = []
  const held = new Map<string, string>()
  const settled = new Map<string, Settled>()
  const book = Layer.succeed(ScheduleBook, {
    all: Effect.sync(() => [...schedules]),
    add: ({ name }) => Effect.fail(new ScheduleExists({ name })),
    remove: (name) => Effect.fail(new NoSuchSchedule({ name, known: [] }))
  })
  const ledger = Layer.succeed(SlotLedger, {
    settled: (schedule) => Effect.sync(() => settled.get(schedule)),
    settle: (schedule, at) => Effect.sync(() => void settled.set(schedule, at)),
    claim: (schedule) =>
      Effect.sync(() => {
        const by = held.get(schedule)
        return by === undefined ? { _tag: "Ours", share: () => Effect.void } : { _tag: "Held", by }
      })
  })
  const running = Layer.succeed(ScheduledRuns, {
    run: Effect.fnUntraced(function* ({ name }) {
      const run: MemoryRun = { schedule: name, startedAtMillis: yield* Clock.currentTimeMillis }
      runs.push(run)
      yield* Effect.sleep(runMillis(name))
      run.endedAtMillis = yield* Clock.currentTimeMillis
      return exitCode(name)
    })
  })
  return { schedules, runs, held, settled, layer: Layer.mergeAll(book, ledger, running) }
}
