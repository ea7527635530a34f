/**
 * When a schedule comes due: a cron expression on the wall clock of a time zone, as instants in order.
 *
 * Where a zone changes its clock, the rule is cron's own (Debian's cron(8), and GitHub's):
 * - Hours that are named (`30 2 * * *`) are points on the wall clock. A slot in the gap comes once, at the
 *   first instant after the gap; slots that fall together there are one. A slot in the fold comes once, the
 *   first time.
 * - An hour of `*` (`0 * * * *`) follows the time that passes: an hour that is missing has no slot, an hour
 *   that comes twice has two, and so there is always one hour from slot to slot.
 *
 * Effect's `Cron` parses, and steps through wall clock times as if they were UTC; the zone is laid on them
 * here. Its own zones would put a slot in the gap behind the gap by the gap's length (02:30 → 03:30), and let
 * an hourly schedule sleep through the second pass of a fold.
 */
import { Cron, DateTime, Result, Schema } from "effect"
import { nearest } from "../../lib/workflow/suggestions.ts"

export interface Timetable {
  /** In UTC, which stands for the wall clock. */
  readonly cron: Cron.Cron
  readonly zone: DateTime.TimeZone
  /** The hour is `*`: time that passes counts, not the wall clock. */
  readonly everyHour: boolean
}

export class TimetableRefused extends Schema.TaggedError<TimetableRefused>()("TimetableRefused", {
  what: Schema.String,
  why: Schema.optionalKey(Schema.String),
  fix: Schema.String
}) {
  override get message() {
    return [this.what, this.why, this.fix].filter((part) => part !== undefined).join("\n")
  }
}

const shorthands: { readonly [name: string]: string } = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *"
}

/** The five fields of an expression: `@daily` written out, one space between fields. */
export const fieldsOf = (expression: string): ReadonlyArray<string> => {
  const text = expression.trim()
  return (shorthands[text.toLowerCase()] ?? text).split(/\s+/)
}

const cronForm =
  'Write minute, hour, day of month, month and day of week: "30 2 * * *" is every day at 02:30, ' +
  '"0 8 * * mon-fri" at 08:00 on working days'

const refusedCron = (expression: string, why: string): TimetableRefused =>
  new TimetableRefused({ what: `"${expression}" is no cron expression`, why, fix: cronForm })

const parseCron = (expression: string): Result.Result<Cron.Cron, TimetableRefused> => {
  const fields = fieldsOf(expression)
  // Effect would take a sixth for seconds, which crontabs and GitHub do not have.
  if (fields.length !== 5) {
    return Result.fail(refusedCron(expression, `it takes five fields, not ${fields.length}`))
  }
  const parsed = Result.mapError(Cron.parse(fields.join(" "), "UTC"), ({ input, message }) =>
    refusedCron(expression, `"${input}": ${message.charAt(0).toLowerCase()}${message.slice(1)}`)
  )
  return Result.flatMap(parsed, (cron) =>
    Result.try({
      try: () => {
        Cron.next(cron, 0)
        return cron
      },
      catch: () => refusedCron(expression, "no date matches it")
    })
  )
}

/** The zone of this machine: what a schedule without one follows. */
export const localZone = (): DateTime.TimeZone.Named => DateTime.zoneMakeLocal()

const parseZone = (name: string): Result.Result<DateTime.TimeZone, TimetableRefused> =>
  Result.fromOption(DateTime.zoneMakeNamed(name), () => {
    const near = nearest(name, Intl.supportedValuesOf("timeZone"))
    return new TimetableRefused({
      what: `there is no time zone "${name}"${near === undefined ? "" : `: did you mean "${near}"?`}`,
      fix: 'Zones are named as "Europe/Berlin", "America/New_York" or "UTC"'
    })
  })

/** `timezone` absent: the machine's. */
export const parse = (
  expression: string,
  timezone: string | undefined
): Result.Result<Timetable, TimetableRefused> =>
  Result.gen(function* () {
    const cron = yield* parseCron(expression)
    const zone = timezone === undefined ? localZone() : yield* parseZone(timezone)
    return { cron, zone, everyHour: cron.hours.size === 0 || cron.hours.size === 24 }
  })

/** Milliseconds by which the wall clock is ahead of UTC. */
export const offsetAt = (zone: DateTime.TimeZone, millis: number): number =>
  DateTime.zonedOffset(DateTime.makeZonedUnsafe(millis, { timeZone: zone }))

/** The first instant in `(from, until]` at which the offset is another than `offset`; there must be one. */
const changeOf = (zone: DateTime.TimeZone, offset: number, from: number, until: number): number => {
  let [before, behind] = [from, until]
  while (behind - before > 1) {
    const middle = Math.floor((before + behind) / 2)
    if (offsetAt(zone, middle) === offset) before = middle
    else behind = middle
  }
  return behind
}

/** Nobody changes a clock twice within three days. */
const neighbourhoodMillis = 36 * 3_600_000

/** The first instant at which the wall clock shows `wall`; in a gap, the first instant after it. */
const instantOf = (zone: DateTime.TimeZone, wall: number): number => {
  const before = offsetAt(zone, wall - neighbourhoodMillis)
  const behind = offsetAt(zone, wall + neighbourhoodMillis)
  const shown = [wall - before, wall - behind].filter((instant) => instant + offsetAt(zone, instant) === wall)
  if (shown.length > 0) return Math.min(...shown)
  return changeOf(zone, before, wall - behind, wall - before)
}

const nextWall = (cron: Cron.Cron, wall: number): number => Cron.next(cron, wall).getTime()

/** Instants never go back while wall clock times go on, so the first that is late enough is the one. */
const nextOnTheWall = ({ cron, zone }: Timetable, after: number): number => {
  let wall = after + offsetAt(zone, after)
  for (;;) {
    wall = nextWall(cron, wall)
    const slot = instantOf(zone, wall)
    if (slot > after) return slot
  }
}

const nextInTime = ({ cron, zone }: Timetable, after: number): number => {
  let offset = offsetAt(zone, after)
  let from = after
  for (;;) {
    const slot = nextWall(cron, from + offset) - offset
    if (offsetAt(zone, slot) === offset) return slot
    // The clock changes on the way: look again from the change, itself included, under the new offset.
    const change = changeOf(zone, offset, from, slot)
    offset = offsetAt(zone, change)
    from = change - 1
  }
}

/** The first slot after an instant; both in milliseconds since 1970. */
export const nextSlot = (timetable: Timetable, after: number): number =>
  timetable.everyHour ? nextInTime(timetable, after) : nextOnTheWall(timetable, after)

export interface DueSlots {
  readonly firstMillis: number
  /** At most `countMax`: more are not worth counting. */
  readonly count: number
}
export const countMax = 1000

/** The slots in `(after, until]`; `undefined` where there is none. */
export const slotsBetween = (timetable: Timetable, after: number, until: number): DueSlots | undefined => {
  const firstMillis = nextSlot(timetable, after)
  if (firstMillis > until) return undefined
  let count = 1
  for (let slot = firstMillis; count < countMax; count++) {
    slot = nextSlot(timetable, slot)
    if (slot > until) break
  }
  return { firstMillis, count }
}

/** `2026-11-25 02:30 Europe/Berlin` */
export const shownAt = ({ zone }: Timetable, millis: number): string => {
  const wall = new Date(millis + offsetAt(zone, millis)).toISOString()
  return `${wall.slice(0, 10)} ${wall.slice(11, 16)} ${DateTime.zoneToString(zone)}`
}
