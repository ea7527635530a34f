/**
 * Slots by brute force, to check timetables against: every minute is looked at on the wall clock that
 * `Intl.DateTimeFormat` shows, with neither a cron library nor arithmetic on offsets.
 */

/** What is asked of a minute of the wall clock; months 1…12, Sunday 0. */
export interface WallMinute {
  readonly minute: number
  readonly hour: number
  readonly day: number
  readonly month: number
  readonly weekday: number
}
export type Matches = (wall: WallMinute) => boolean

const minuteMillis = 60_000

/** Minutes since 1970 on the wall clock of a zone, for instants. */
export const wallMinutes = (zone: string): ((millis: number) => number) => {
  const formatter = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric"
  })
  return (millis) => {
    // "3/29/2026, 03:00"
    const [month, day, year, hour, minute] = formatter.format(millis).split(/\D+/).map(Number)
    return Date.UTC(year!, month! - 1, day!, hour!, minute!) / minuteMillis
  }
}

const shown = (wall: number): WallMinute => {
  const date = new Date(wall * minuteMillis)
  return {
    minute: date.getUTCMinutes(),
    hour: date.getUTCHours(),
    day: date.getUTCDate(),
    month: date.getUTCMonth() + 1,
    weekday: date.getUTCDay()
  }
}

export interface Asked {
  readonly matches: Matches
  /** Time that passes counts: every minute that matches is a slot, and only minutes that there are. */
  readonly everyHour: boolean
}

/**
 * Instants in `[from, until)`, for each of `asked` its own. Where hours are named, a wall clock minute counts
 * when the clock first reaches or passes it: those passed over together count once.
 */
export const slotsByBruteForce = (
  zone: string,
  asked: ReadonlyArray<Asked>,
  from: number,
  until: number
): ReadonlyArray<ReadonlyArray<number>> => {
  const wallOf = wallMinutes(zone)
  const slots = asked.map((): Array<number> => [])
  let reached = wallOf(from - minuteMillis)
  for (let at = from; at < until; at += minuteMillis) {
    const wall = wallOf(at)
    const passed: Array<WallMinute> = []
    for (let minute = reached + 1; minute <= wall; minute++) passed.push(shown(minute))
    reached = Math.max(reached, wall)
    const now = shown(wall)
    asked.forEach(({ everyHour, matches }, index) => {
      if (everyHour ? matches(now) : passed.some(matches)) slots[index]!.push(at)
    })
  }
  return slots
}
