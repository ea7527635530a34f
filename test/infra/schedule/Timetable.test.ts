/** When schedules come due, around changes of the clock above all. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { nextSlot, parse, shownAt, slotsBetween, type Timetable } from "../../../infra/schedule/Timetable.ts"
import { slotsByBruteForce, type WallMinute } from "./wallClockOracle.ts"

const timetable = (cron: string, zone?: string): Timetable => Result.getOrThrow(parse(cron, zone))

const slots = (cron: string, zone: string, after: string, count: number): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let at = Date.parse(after); found.length < count; ) {
    at = nextSlot(timetable(cron, zone), at)
    found.push(new Date(at).toISOString().slice(5, 16))
  }
  return found
}

describe("a change of the clock", () => {
  it("a slot in the gap comes once, at the first instant after it", () => {
    assert.deepStrictEqual(slots("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00Z", 3), [
      "03-28T01:30",
      "03-29T01:00",
      "03-30T00:30"
    ])
    assert.deepStrictEqual(slots("*/20 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00Z", 4), [
      "03-29T01:00",
      "03-29T01:20",
      "03-29T01:40",
      "03-30T00:00"
    ])
  })

  it("a slot in the fold comes once, the first time", () => {
    assert.deepStrictEqual(slots("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 2), [
      "10-25T00:30",
      "10-26T01:30"
    ])
    // Asked in the second pass, it is over.
    assert.deepStrictEqual(slots("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10Z", 1), ["10-26T01:30"])
  })

  it("an hourly schedule has one hour from slot to slot", () => {
    for (const around of ["2026-03-28T22:30Z", "2026-10-24T22:30Z"]) {
      const found = slots("15 * * * *", "Europe/Berlin", around, 6).map((slot) => Date.parse(`2026-${slot}Z`))
      assert.deepStrictEqual(
        found.slice(1).map((slot, index) => slot - found[index]!),
        Array(5).fill(3_600_000)
      )
    }
  })

  it("a day that a zone leaves out gives its slots to the instant after it", () =>
    // Samoa went from the 29th to the 31st of December 2011.
    assert.deepStrictEqual(slots("0 9,12 * * *", "Pacific/Apia", "2011-12-29T20:00Z", 3), [
      "12-29T22:00",
      "12-30T10:00",
      "12-30T19:00"
    ]))
})

/** Numbers in `[0, below)`, the same ones every time. */
const seeded = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

interface Field {
  readonly text: string
  readonly has: (value: number) => boolean
}

const star: Field = { text: "*", has: () => true }

const listField = (random: (below: number) => number, from: number, until: number): Field => {
  const values = new Set(Array.from({ length: 1 + random(3) }, () => from + random(until - from)))
  return { text: [...values].join(","), has: (value) => values.has(value) }
}

/** An expression, and what it asks of a minute, made from the same numbers. */
const randomExpression = (random: (below: number) => number) => {
  const minute = random(4) === 0 ? star : listField(random, 0, 60)
  const hour = random(4) === 0 ? star : listField(random, 0, 5)
  const day = random(3) > 0 ? star : listField(random, 20, 32)
  const weekday = random(3) > 0 ? star : listField(random, 0, 7)
  const dayMatches = (wall: WallMinute): boolean => {
    if (day === star || weekday === star) return day.has(wall.day) && weekday.has(wall.weekday)
    return day.has(wall.day) || weekday.has(wall.weekday)
  }
  return {
    cron: [minute.text, hour.text, day.text, "*", weekday.text].join(" "),
    everyHour: hour === star,
    matches: (wall: WallMinute) => minute.has(wall.minute) && hour.has(wall.hour) && dayMatches(wall)
  }
}

/** Five days in which a clock changes: by an hour, by half an hour, at midnight, by a day, for good. */
const changes: ReadonlyArray<readonly [zone: string, from: string]> = [
  ["Europe/Berlin", "2026-03-27T00:00Z"],
  ["Europe/Berlin", "2026-10-23T00:00Z"],
  ["America/New_York", "2026-03-06T00:00Z"],
  ["America/New_York", "2026-10-30T00:00Z"],
  ["Australia/Lord_Howe", "2026-04-02T00:00Z"],
  ["Australia/Lord_Howe", "2026-10-01T00:00Z"],
  ["Africa/Cairo", "2026-04-22T00:00Z"],
  ["Africa/Cairo", "2026-10-27T00:00Z"],
  ["America/Havana", "2026-03-06T00:00Z"],
  ["Pacific/Apia", "2011-12-28T00:00Z"],
  ["Asia/Pyongyang", "2018-05-02T00:00Z"],
  ["Asia/Kathmandu", "2026-01-01T00:00Z"]
]

describe("against brute force over the wall clock", () => {
  it.each(changes)(
    "%s from %s",
    (zone, start) => {
      const [from, until] = [Date.parse(start), Date.parse(start) + 5 * 86_400_000]
      const random = seeded(from / 1000)
      const expressions = Array.from({ length: 30 }, () => randomExpression(random))
      const expected = slotsByBruteForce(zone, expressions, from, until)
      assert.isAbove(expected.flat().length, 300)
      for (const [index, { cron }] of expressions.entries()) {
        const made = timetable(cron, zone)
        const found: Array<number> = []
        for (let at = nextSlot(made, from - 1); at < until; at = nextSlot(made, at)) found.push(at)
        assert.deepStrictEqual(found, expected[index], cron)
      }
    },
    60_000
  )
})

describe("counting slots", () => {
  const daily = timetable("0 12 * * *", "UTC")
  const [first, last] = [Date.parse("2026-01-01T12:00Z"), Date.parse("2026-01-05T12:00Z")]

  it("takes the later end in and leaves the earlier one out", () => {
    assert.deepStrictEqual(slotsBetween(daily, first, last), { firstMillis: first + 86_400_000, count: 4 })
    assert.deepStrictEqual(slotsBetween(daily, first - 1, last), { firstMillis: first, count: 5 })
    assert.isUndefined(slotsBetween(daily, first, first + 86_399_999))
  })

  it("ends at a thousand", () =>
    assert.strictEqual(slotsBetween(timetable("* * * * *", "UTC"), first, last)?.count, 1000))
})

describe("an expression", () => {
  it("may be a shorthand, and may name months and days", () => {
    const of = (cron: string) => nextSlot(timetable(cron, "UTC"), Date.parse("2026-06-10T10:10Z"))
    assert.strictEqual(of("@Weekly"), Date.parse("2026-06-14T00:00Z"))
    assert.strictEqual(of("0 8 * jul mon-fri"), Date.parse("2026-07-01T08:00Z"))
    assert.strictEqual(of("5/15 * * * *"), Date.parse("2026-06-10T10:20Z"))
  })

  it.each([
    ["30 2 * *", undefined, /it takes five fields, not 4/],
    ["0 30 2 * * *", undefined, /it takes five fields, not 6/],
    ["0 25 * * *", undefined, /"25": expected a value between 0 and 23/],
    ["@reboot", undefined, /five fields/],
    ["0 0 31 2 *", undefined, /no date matches it/],
    ["0 0 * * *", "Europe/Berlni", /did you mean "Europe\/Berlin"\?/]
  ])("%s %s is refused", (cron, zone, message) => {
    const refused = parse(cron, zone)
    assert.isTrue(Result.isFailure(refused))
    assert.match(Result.isFailure(refused) ? refused.failure.message : "", message)
  })

  it("shows times on its own clock", () =>
    assert.strictEqual(
      shownAt(timetable("0 0 * * *", "Australia/Eucla"), Date.parse("2026-11-24T15:30Z")),
      "2026-11-25 00:15 Australia/Eucla"
    ))
})
