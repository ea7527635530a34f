/** The scheduler on a test clock: a year in a second, stops and restarts, overlaps. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { type SchedulerOptions, serveForever, serveOnce } from "../../../infra/schedule/Scheduler.ts"
import { type MemorySchedules, memorySchedules, scheduleOf } from "../../support/memorySchedules.ts"
import { type Asked, slotsByBruteForce, type WallMinute } from "./wallClockOracle.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const at = (text: string): number => Date.parse(text)

const options = (pollMillis: number) => {
  const lines: Array<string> = []
  const value: SchedulerOptions = {
    pollMillis,
    serves: () => true,
    tell: (line) => Effect.sync(() => void lines.push(line))
  }
  return { lines, ...value }
}

const startsOf = ({ runs }: MemorySchedules, name: string): ReadonlyArray<string> =>
  runs.filter(({ schedule }) => schedule === name).map((run) => new Date(run.startedAtMillis).toISOString())

const iso = (slots: ReadonlyArray<number>): ReadonlyArray<string> =>
  slots.map((slot) => new Date(slot).toISOString())

/** A scheduler that serves until `stop`; then all its runs are interrupted. */
const serving = (memory: MemorySchedules, told: SchedulerOptions) =>
  Effect.forkChild(Effect.provide(serveForever(told), memory.layer))

describe("a year with two changes of the clock in each zone", () => {
  const [from, until] = [at("2026-01-01T00:00Z"), at("2027-01-01T00:00Z")]
  const zones = ["Europe/Berlin", "America/New_York"]
  const asked: ReadonlyArray<Asked & { readonly cron: string; readonly name: string }> = [
    {
      name: "daily",
      cron: "30 2 * * *",
      everyHour: false,
      matches: (wall: WallMinute) => wall.hour === 2 && wall.minute === 30
    },
    { name: "hourly", cron: "0 * * * *", everyHour: true, matches: (wall: WallMinute) => wall.minute === 0 },
    {
      name: "weekdays",
      cron: "5,50 1-3 * * 0,1",
      everyHour: false,
      matches: ({ hour, minute, weekday }: WallMinute) =>
        weekday < 2 && hour >= 1 && hour <= 3 && (minute === 5 || minute === 50)
    }
  ]

  it.effect(
    "loses no slot and doubles none",
    () =>
      Effect.gen(function* () {
        const schedules = zones.flatMap((zone) =>
          asked.map(({ cron, name }) => scheduleOf(`${zone} ${name}`, cron, zone, from - 1))
        )
        const memory = memorySchedules(schedules, (name) => (name.endsWith("daily") ? 4 * minute : 0))
        const told = options(day)
        yield* TestClock.setTime(from - 1)
        const scheduler = yield* serving(memory, told)
        yield* TestClock.adjust(until - from)
        yield* Fiber.interrupt(scheduler)
        for (const zone of zones) {
          for (const [index, slots] of slotsByBruteForce(zone, asked, from, until).entries()) {
            const { everyHour, name } = asked[index]!
            assert.deepStrictEqual(startsOf(memory, `${zone} ${name}`), iso(slots), `${zone} ${name}`)
            if (everyHour) assert.lengthOf(slots, 8760)
            if (name === "daily") assert.lengthOf(slots, 365)
          }
        }
        assert.deepStrictEqual(
          told.lines.filter((line) => /skipped|missed/.test(line)),
          []
        )
      }),
    120_000
  )

  it.effect(
    "each stop of the scheduler costs one late run, whatever was missed",
    () =>
      Effect.gen(function* () {
        const memory = memorySchedules(
          [scheduleOf("hourly", "0 * * * *", "Europe/Berlin", from - 1)],
          () => 0
        )
        const expected = [from + 7 * minute]
        let now = from + 7 * minute
        yield* TestClock.setTime(now)
        // Up for some hours, down for some: prime to each other, so that they meet every phase.
        for (let turn = 0; now < until - 2 * day; turn++) {
          const [up, down] = [((turn * 17) % 31) * 20 * minute + 5 * minute, ((turn * 13) % 23) * 20 * minute]
          const scheduler = yield* serving(memory, options(day))
          const slots = Math.floor((now + up) / hour) - Math.floor(now / hour)
          for (let slot = 1; slot <= slots; slot++) expected.push((Math.floor(now / hour) + slot) * hour)
          yield* TestClock.adjust(up)
          yield* Fiber.interrupt(scheduler)
          yield* TestClock.adjust(down)
          const missed = Math.floor((now + up + down) / hour) - Math.floor((now + up) / hour)
          now += up + down
          if (missed > 0) expected.push(now)
        }
        const starts = memory.runs.map(({ startedAtMillis }) => startedAtMillis)
        assert.isAbove(starts.length, 1000)
        assert.deepStrictEqual(iso(starts), iso(expected.filter((slot) => slot < now)))
      }),
    60_000
  )
})

const noon = at("2026-06-01T12:00Z")
const everyHour = (name: string) => scheduleOf(name, "0 * * * *", "UTC", noon)

describe("a run that is longer than its interval", () => {
  it.effect("has the slots that come meanwhile skipped, and says so", () =>
    Effect.gen(function* () {
      const memory = memorySchedules([everyHour("long"), everyHour("short")], (name) =>
        name === "long" ? 150 * minute : minute
      )
      const told = options(30_000)
      yield* TestClock.setTime(noon)
      const scheduler = yield* serving(memory, told)
      yield* TestClock.adjust(6 * hour + minute)
      yield* Fiber.interrupt(scheduler)
      assert.deepStrictEqual(
        startsOf(memory, "long").map((start) => start.slice(11, 16)),
        ["13:00", "16:00"]
      )
      assert.lengthOf(startsOf(memory, "short"), 6)
      assert.deepStrictEqual(told.lines.filter((line) => line.startsWith("long")).slice(0, 4), [
        "long: run of 2026-06-01 13:00 UTC started",
        "long: slot of 2026-06-01 14:00 UTC skipped, its last run still goes on",
        "long: slot of 2026-06-01 15:00 UTC skipped, its last run still goes on",
        "long: run ended after 9000.0 s with exit code 0"
      ])
    })
  )
})

describe("a run that is cut off", () => {
  it.effect("is run again at the next start, once, with what was missed since", () =>
    Effect.gen(function* () {
      const memory = memorySchedules([everyHour("nightly")], () => 30 * minute)
      yield* TestClock.setTime(noon)
      const first = yield* serving(memory, options(30_000))
      yield* TestClock.adjust(70 * minute)
      yield* Fiber.interrupt(first)
      assert.deepStrictEqual(
        memory.runs.map(({ endedAtMillis }) => endedAtMillis),
        [undefined]
      )

      yield* TestClock.adjust(2 * hour)
      const told = options(30_000)
      const second = yield* serving(memory, told)
      yield* TestClock.adjust(31 * minute)
      assert.deepStrictEqual(
        startsOf(memory, "nightly").map((start) => start.slice(11, 16)),
        ["13:00", "15:10"]
      )
      assert.strictEqual(
        told.lines[0],
        "nightly: 3 slots were missed since 2026-06-01 13:00 UTC; one run for all of them started"
      )
      yield* TestClock.adjust(30 * minute)
      yield* Fiber.interrupt(second)
      assert.strictEqual(startsOf(memory, "nightly").at(-1)?.slice(11, 16), "16:00")
    })
  )
})

describe("the list of schedules", () => {
  it.effect("may change while the scheduler runs; what is added again owes nothing from before", () =>
    Effect.gen(function* () {
      const memory = memorySchedules([], () => minute)
      yield* TestClock.setTime(noon)
      const scheduler = yield* serving(memory, options(30_000))
      yield* TestClock.adjust(90 * minute)
      memory.schedules.push(everyHour("new"))
      memory.schedules[0] = { ...memory.schedules[0]!, addedAtMillis: noon + 90 * minute }
      yield* TestClock.adjust(hour)
      assert.deepStrictEqual(
        startsOf(memory, "new").map((start) => start.slice(11, 16)),
        ["14:00"]
      )
      memory.schedules.length = 0
      yield* TestClock.adjust(5 * hour)
      assert.lengthOf(memory.runs, 1)
      memory.schedules.push({ ...everyHour("new"), addedAtMillis: noon + 450 * minute })
      yield* TestClock.adjust(hour)
      yield* Fiber.interrupt(scheduler)
      assert.deepStrictEqual(
        startsOf(memory, "new")
          .slice(1)
          .map((start) => start.slice(11, 16)),
        ["20:00"]
      )
    })
  )
})

describe("beside another process", () => {
  it.effect("a slot that it runs is waited for, and run only if it was not settled", () =>
    Effect.gen(function* () {
      const memory = memorySchedules([everyHour("shared")], () => minute)
      memory.held.set("shared", "process 7")
      const told = options(30_000)
      yield* TestClock.setTime(noon)
      const scheduler = yield* serving(memory, told)
      yield* TestClock.adjust(65 * minute)
      const lastRun = { startedAtMillis: noon + hour, endedAtMillis: noon + 64 * minute, exitCode: 0 }
      memory.settled.set("shared", { untilMillis: lastRun.endedAtMillis, lastRun })
      memory.held.clear()
      yield* TestClock.adjust(30 * minute)
      assert.lengthOf(memory.runs, 0)
      assert.deepStrictEqual(told.lines, ["shared: process 7 still runs it; waiting for its end"])

      // The next one dies and settles nothing.
      memory.held.set("shared", "process 8")
      yield* TestClock.adjust(30 * minute)
      memory.held.clear()
      yield* TestClock.adjust(2_000)
      assert.lengthOf(memory.runs, 1)
      yield* Fiber.interrupt(scheduler)
    })
  )

  it.effect("`--once` leaves it alone", () =>
    Effect.gen(function* () {
      const memory = memorySchedules([everyHour("shared")], () => minute)
      memory.held.set("shared", "process 7")
      const told = options(30_000)
      yield* TestClock.setTime(noon + 61 * minute)
      yield* Effect.provide(serveOnce(told), memory.layer)
      assert.deepStrictEqual(told.lines, ["shared: skipped, process 7 still runs it"])
    })
  )
})

describe("serving once", () => {
  it.effect("runs what is due of the schedules asked for, and gives their exit codes", () =>
    Effect.gen(function* () {
      const memory = memorySchedules(
        [
          everyHour("good"),
          everyHour("bad"),
          everyHour("other"),
          scheduleOf("yearly", "@yearly", "UTC", noon)
        ],
        () => minute,
        (name) => (name === "bad" ? 4 : 0)
      )
      const told = { ...options(30_000), serves: (name: string) => name !== "other" }
      yield* TestClock.setTime(noon + 3 * hour)
      const once = yield* Effect.forkChild(Effect.provide(serveOnce(told), memory.layer))
      yield* TestClock.adjust(2 * minute)
      const served = yield* Fiber.join(once)
      assert.deepStrictEqual(served, [
        { name: "good", exitCode: 0 },
        { name: "bad", exitCode: 4 }
      ])
      assert.deepStrictEqual(
        memory.runs.map(({ schedule }) => schedule),
        ["good", "bad"]
      )
      assert.deepStrictEqual(yield* Effect.provide(serveOnce(told), memory.layer), [])
    })
  )
})
