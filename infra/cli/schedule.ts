/** `distillery schedule add | list | next | remove` */
import { basename, extname, join } from "node:path"
import { Clock, Effect, Option, Schema } from "effect"
import { nearest } from "../../lib/workflow/suggestions.ts"
import type { Paint } from "../reporting/paint.ts"
import { table } from "../reporting/table.ts"
import { fileSchedulesLayer } from "../schedule/fileSchedules.ts"
import {
  NoSuchSchedule,
  type Schedule,
  ScheduleBook,
  type ScheduleExists,
  ScheduleRecord,
  type SchedulesNotWritten,
  type SchedulesUnreadable
} from "../schedule/ScheduleBook.ts"
import { type LedgerFailed, type Settled, SlotLedger } from "../schedule/SlotLedger.ts"
import * as Timetable from "../schedule/Timetable.ts"
import { read, type SettingsValue } from "../settings.ts"
import { UsageError } from "./errors.ts"
import { findPipeline } from "./findPipeline.ts"
import { Output, printJson } from "./Output.ts"
import { withOverrides } from "./selection.ts"

type ScheduleError =
  | LedgerFailed
  | NoSuchSchedule
  | ScheduleExists
  | SchedulesNotWritten
  | SchedulesUnreadable
  | Timetable.TimetableRefused

const noSuchSchedule = ({ known, message, name }: NoSuchSchedule): UsageError => {
  const near = nearest(name, known)
  return new UsageError({
    what: near === undefined ? message : `${message}: did you mean "${near}"?`,
    fix: known.length === 0 ? "None was added here yet" : `There are ${known.join(", ")}`
  })
}

/** What the user can put right is usage; a disk that cannot be written to is not. */
export const asUsage = <A, E, R>(effect: Effect.Effect<A, E | ScheduleError, R>) =>
  Effect.mapError(effect, (error) => {
    switch ((error as ScheduleError)._tag) {
      case "NoSuchSchedule":
        return noSuchSchedule(error as NoSuchSchedule)
      case "ScheduleExists":
        return new UsageError({
          what: (error as ScheduleExists).message,
          fix: "Give this one another name by --name, or take the other away: npx distillery schedule remove"
        })
      case "LedgerFailed":
      case "SchedulesUnreadable":
      case "TimetableRefused":
        return new UsageError({ what: (error as ScheduleError).message })
      default:
        return error as Exclude<E, ScheduleError> | SchedulesNotWritten
    }
  })

/** Where the project keeps what is about schedules. */
export const schedulesLayerOf = ({ projectDir }: SettingsValue) =>
  fileSchedulesLayer(join(projectDir, ".distillery"))

/** The schedule of this name; all of them where no name is given. */
export const chosen = Effect.fn("schedule.chosen")(function* (name: string | undefined) {
  const all = yield* (yield* ScheduleBook).all
  if (name === undefined) return all
  const found = all.filter((schedule) => schedule.name === name)
  if (found.length > 0) return found
  return yield* new NoSuchSchedule({ name, known: all.map((schedule) => schedule.name) })
})

export interface AddFlags {
  readonly cron: string
  readonly pipeline: string
  readonly name: string | undefined
  readonly timezone: string | undefined
  readonly set: ReadonlyArray<string>
}

/** `./pipelines/mine.ts` → `mine` */
const nameFrom = (pipeline: string): string => basename(pipeline, extname(pipeline))

const recordFrom = Effect.fn("schedule.recordFrom")(function* (flags: AddFlags) {
  const { cron, pipeline, set, timezone } = flags
  const record = {
    name: flags.name ?? nameFrom(pipeline),
    cron,
    ...(timezone !== undefined && { timezone }),
    pipeline,
    set,
    addedAtMillis: yield* Clock.currentTimeMillis
  }
  const decoded = Schema.decodeUnknownOption(ScheduleRecord)(record)
  if (Option.isSome(decoded)) return decoded.value
  return yield* new UsageError({
    what: `"${record.name}" is no name for a schedule`,
    fix: "Take letters, digits, dots, dashes and underscores, at most 64: --name nightly"
  })
})

export const add = Effect.fn("schedule.add")(function* (flags: AddFlags) {
  const settings = yield* read
  const timetable = yield* asUsage(Effect.fromResult(Timetable.parse(flags.cron, flags.timezone)))
  // The mistakes that a run would report at night are found now.
  yield* Effect.flatMap(findPipeline(flags.pipeline), (found) => withOverrides(found, flags.set))
  const record = yield* recordFrom(flags)
  yield* asUsage(
    Effect.provide(
      Effect.flatMap(ScheduleBook, (book) => book.add(record)),
      schedulesLayerOf(settings)
    )
  )
  const next = Timetable.nextSlot(timetable, record.addedAtMillis)
  const { print, tell } = yield* Output
  yield* print([`${record.name} runs ${record.pipeline} next at ${Timetable.shownAt(timetable, next)}`])
  yield* tell(["It takes `npx distillery scheduler`, or a crontab: npx distillery schedule export crontab"])
})

interface Listed {
  readonly schedule: Schedule
  readonly nextMillis: number
  readonly settled: Settled | undefined
}

const iso = (millis: number): string => new Date(millis).toISOString()

const listDocument = (listed: ReadonlyArray<Listed>) => ({
  schemaVersion: 1,
  schedules: listed.map(({ nextMillis, schedule, settled }) => ({
    name: schedule.name,
    cron: schedule.cron,
    timezone: schedule.timezone ?? null,
    pipeline: schedule.pipeline,
    set: schedule.set,
    addedAt: iso(schedule.addedAtMillis),
    next: iso(nextMillis),
    lastRun:
      settled === undefined
        ? null
        : {
            startedAt: iso(settled.lastRun.startedAtMillis),
            endedAt: iso(settled.lastRun.endedAtMillis),
            exitCode: settled.lastRun.exitCode
          }
  }))
})

const lastRunShown = ({ schedule, settled }: Listed, paint: Paint): string => {
  if (settled === undefined) return paint.dim("never")
  const { endedAtMillis, exitCode } = settled.lastRun
  const sign = exitCode === 0 ? paint.green("ok") : paint.red(`exit code ${exitCode}`)
  return `${Timetable.shownAt(schedule.timetable, endedAtMillis)} ${sign}`
}

const listLines = (listed: ReadonlyArray<Listed>, paint: Paint): ReadonlyArray<string> => {
  if (listed.length === 0) return ['No schedules yet: npx distillery schedule add "30 2 * * *" quickstart']
  const titles = ["name", "cron", "pipeline", "next", "last run"]
  const rows = listed.map((one) => [
    paint.bold(one.schedule.name),
    one.schedule.cron,
    [one.schedule.pipeline, ...one.schedule.set].join(" "),
    Timetable.shownAt(one.schedule.timetable, one.nextMillis),
    lastRunShown(one, paint)
  ])
  return table(
    titles.map((title) => ({ title })),
    rows,
    paint
  )
}

export const list = Effect.fn("schedule.list")(function* ({ json }: { readonly json: boolean }) {
  const { paint, print } = yield* Output
  const now = yield* Clock.currentTimeMillis
  const listed = yield* Effect.gen(function* () {
    const ledger = yield* SlotLedger
    return yield* Effect.forEach(yield* chosen(undefined), (schedule) =>
      Effect.map(
        ledger.settled(schedule.name),
        (settled): Listed => ({ schedule, settled, nextMillis: Timetable.nextSlot(schedule.timetable, now) })
      )
    )
  }).pipe(Effect.provide(schedulesLayerOf(yield* read)), asUsage)
  yield* json ? printJson(listDocument(listed)) : print(listLines(listed, paint))
})

const slotsAfter = (schedule: Schedule, after: number, count: number) => {
  const found: Array<{ readonly schedule: Schedule; readonly slot: number }> = []
  for (let slot = after; found.length < count; ) {
    slot = Timetable.nextSlot(schedule.timetable, slot)
    found.push({ schedule, slot })
  }
  return found
}

export interface NextFlags {
  readonly name: string | undefined
  readonly count: number
}

export const next = Effect.fn("schedule.next")(function* ({ count, name }: NextFlags) {
  const { paint, print } = yield* Output
  const now = yield* Clock.currentTimeMillis
  const schedules = yield* chosen(name).pipe(Effect.provide(schedulesLayerOf(yield* read)), asUsage)
  const slots = schedules
    .flatMap((schedule) => slotsAfter(schedule, now, count))
    .sort((a, b) => a.slot - b.slot)
    .slice(0, count)
  yield* print(
    slots.map(({ schedule, slot }) =>
      [iso(slot), Timetable.shownAt(schedule.timetable, slot), paint.bold(schedule.name)].join("  ")
    )
  )
})

export const remove = Effect.fn("schedule.remove")(function* ({ name }: { readonly name: string }) {
  const { tell } = yield* Output
  yield* Effect.flatMap(ScheduleBook, (book) => book.remove(name)).pipe(
    Effect.provide(schedulesLayerOf(yield* read)),
    asUsage
  )
  yield* tell([`${name} is removed; a crontab or a workflow made from it stays where it is`])
})
