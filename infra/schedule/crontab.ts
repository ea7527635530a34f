/**
 * Schedules as lines of a crontab, made to run with the empty environment that cron gives.
 *
 * Debian's cron knows no zone but the machine's: `CRON_TZ` is just a variable there. A schedule of another
 * zone therefore gets a line that looks every hour, at the minutes that may be it; `scheduler --once` runs
 * what is due by the schedule's own clock, and nothing else.
 */
import { Result, Schema } from "effect"
import { oneLine } from "../reporting/paint.ts"
import { carriedEnvironment } from "./carriedEnvironment.ts"
import { logFileOf, runArguments } from "./childRuns.ts"
import { portableFields } from "./portableCron.ts"
import type { Schedule } from "./ScheduleBook.ts"
import { shellWord } from "./shellQuoting.ts"
import { localZone, offsetAt, type Timetable } from "./Timetable.ts"

export class NotForCrontab extends Schema.TaggedError<NotForCrontab>()("NotForCrontab", {
  what: Schema.String,
  fix: Schema.String
}) {}

export interface CrontabOptions {
  readonly projectDir: string
  /** Node, and the program that it runs. */
  readonly nodeFile: string
  readonly programFile: string
  readonly environment: { readonly [name: string]: string | undefined }
  readonly nowMillis: number
}

const dayMillis = 86_400_000
const numDays = 2 * 365

/** Every day of the coming two years, how far the machine's clock is ahead of the schedule's, in minutes. */
const differences = ({ zone }: Timetable, nowMillis: number): ReadonlySet<number> => {
  const machine = localZone()
  const days = Array.from({ length: numDays }, (_, day) => nowMillis + day * dayMillis)
  return new Set(days.map((at) => (offsetAt(machine, at) - offsetAt(zone, at)) / 60_000))
}

/** Minutes of any hour at which the machine's clock may meet a slot. */
const minutesOf = ({ cron }: Timetable, shifts: ReadonlySet<number>): string => {
  if (cron.minutes.size === 0) return "*"
  const met = (minute: number, shift: number): number => (((minute + shift) % 60) + 60) % 60
  const minutes = [...shifts].flatMap((shift) => [...cron.minutes].map((minute) => met(minute, shift)))
  return [...new Set(minutes)].sort((a, b) => a - b).join(",")
}

interface Times {
  readonly fields: string
  readonly note: ReadonlyArray<string>
}

const timesOf = (schedule: Schedule, nowMillis: number): Times => {
  const { cron, timetable, timezone } = schedule
  const shifts = differences(timetable, nowMillis)
  if (shifts.size === 1 && shifts.has(0))
    return { fields: portableFields(cron, timetable).join(" "), note: [] }
  return {
    fields: `${minutesOf(timetable, shifts)} * * * *`,
    note: [
      `# cron keeps this machine's zone: the line looks every hour whether a slot of ${timezone} has come.`
    ]
  }
}

/** cron takes a longer command for a mistake in the line. */
const commandLengthMax = 998

const commandOf = (schedule: Schedule, options: CrontabOptions): Result.Result<string, NotForCrontab> => {
  const log = logFileOf(schedule.name)
  const variables = carriedEnvironment(options.environment).values.map(
    ([name, value]) => `${name}=${shellWord(value)}`
  )
  const program = [options.nodeFile, options.programFile].map(shellWord)
  const command = [
    `cd ${shellWord(options.projectDir)} && mkdir -p .distillery/logs &&`,
    ...variables,
    ...program,
    `scheduler --once ${schedule.name} >> ${log} 2>&1`
  ].join(" ")
  if (/[\\\n\r]/.test(command)) {
    return Result.fail(
      new NotForCrontab({
        what: "a path or a variable holds a backslash or a line break, which crons read in different ways",
        fix: `Move the project, or change the variable: ${JSON.stringify(command)}`
      })
    )
  }
  const escaped = command.replaceAll("%", "\\%")
  if (escaped.length <= commandLengthMax) return Result.succeed(escaped)
  return Result.fail(
    new NotForCrontab({
      what:
        `the line of "${schedule.name}" would be ${escaped.length} characters long, ` +
        `cron takes ${commandLengthMax}`,
      fix: "Set fewer DISTILLERY_ and AWS_ variables, or keep the project in a folder with a shorter path"
    })
  )
}

const header = ({ environment }: CrontabOptions): ReadonlyArray<string> => {
  const { secrets } = carriedEnvironment(environment)
  return [
    "# Schedules of Distillery. To add them to your crontab:",
    "#   (crontab -l; npx distillery schedule export crontab) | crontab -",
    "# Run a pipeline once by hand first: cron's PATH may lack the python3 that fetches the native runtime.",
    "# Two runs of a schedule never overlap: the second one says so in the log, and ends.",
    "# Secrets do not belong here: S3 keys go into ~/.aws/credentials, readable by you alone.",
    ...(secrets.length === 0 ? [] : [`# Set in your shell, and left out: ${secrets.join(", ")}.`])
  ]
}

/** What a schedule does, in words for a comment. */
const title = ({ cron, name, pipeline, set, timezone }: Schedule): string =>
  oneLine(
    `# ${name}: distillery ${runArguments({ pipeline, set }).map(shellWord).join(" ")}, at ${cron}` +
      (timezone === undefined ? "" : ` ${timezone}`)
  )

export const crontabLines = (
  schedules: ReadonlyArray<Schedule>,
  options: CrontabOptions
): Result.Result<ReadonlyArray<string>, NotForCrontab> =>
  Result.map(Result.all(schedules.map((schedule) => commandOf(schedule, options))), (commands) => [
    ...header(options),
    ...schedules.flatMap((schedule, index) => {
      const { fields, note } = timesOf(schedule, options.nowMillis)
      return ["", title(schedule), ...note, `${fields} ${commands[index]}`]
    })
  ])
