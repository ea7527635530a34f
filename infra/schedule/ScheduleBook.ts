/** The schedules of a project: which pipeline is to run when. */
import { Context, type Effect, Schema } from "effect"
import type { Timetable } from "./Timetable.ts"

/** Fit for files, crontabs and shells as they are. */
export const scheduleName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

const Name = Schema.String.check(
  Schema.isPattern(scheduleName, { description: "letters, digits, dots, dashes and underscores" }),
  Schema.isMaxLength(64)
)

/** A schedule as it is stored. */
export const ScheduleRecord = Schema.Struct({
  name: Name,
  cron: Schema.String,
  /** Absent: that of the machine. */
  timezone: Schema.optionalKey(Schema.String),
  pipeline: Schema.String,
  /** As given to `--set`: `job.param=value`. */
  set: Schema.Array(Schema.String),
  /** Slots count from here on. */
  addedAtMillis: Schema.Int
})
export type ScheduleRecord = typeof ScheduleRecord.Type

export interface Schedule extends ScheduleRecord {
  readonly timetable: Timetable
}

/** The list cannot be read, or holds what is no schedule: nothing is written over it. */
export class SchedulesUnreadable extends Schema.TaggedError<SchedulesUnreadable>()("SchedulesUnreadable", {
  location: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.location} cannot be read: ${this.reason}`
  }
}

export class SchedulesNotWritten extends Schema.TaggedError<SchedulesNotWritten>()("SchedulesNotWritten", {
  location: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.location} cannot be written: ${this.reason}. Nothing has changed.`
  }
}

export class ScheduleExists extends Schema.TaggedError<ScheduleExists>()("ScheduleExists", {
  name: Schema.String
}) {
  override get message() {
    return `there is a schedule "${this.name}" already`
  }
}

export class NoSuchSchedule extends Schema.TaggedError<NoSuchSchedule>()("NoSuchSchedule", {
  name: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message() {
    return `there is no schedule "${this.name}"`
  }
}

/** Writers may be many processes: each change is made on what the one before it left. */
export class ScheduleBook extends Context.Service<
  ScheduleBook,
  {
    /** In the order in which they were added. */
    readonly all: Effect.Effect<ReadonlyArray<Schedule>, SchedulesUnreadable>
    readonly add: (
      schedule: ScheduleRecord
    ) => Effect.Effect<void, ScheduleExists | SchedulesUnreadable | SchedulesNotWritten>
    readonly remove: (
      name: string
    ) => Effect.Effect<void, NoSuchSchedule | SchedulesUnreadable | SchedulesNotWritten>
  }
>()("infra/schedule/ScheduleBook") {}
