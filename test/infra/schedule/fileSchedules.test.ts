/** Schedules and their ledger in files: many writers, broken files, owners that are gone. */
import { spawn } from "node:child_process"
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { fileSchedulesLayer } from "../../../infra/schedule/fileSchedules.ts"
import { ScheduleBook, type ScheduleRecord } from "../../../infra/schedule/ScheduleBook.ts"
import { SlotLedger } from "../../../infra/schedule/SlotLedger.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const root = temporaryFolder()
let numFolders = 0
const newFolder = (): string => {
  const folder = join(root, String(numFolders++))
  mkdirSync(folder)
  return folder
}

const record = (name: string, changes: Partial<ScheduleRecord> = {}): ScheduleRecord => ({
  name,
  cron: "30 2 * * *",
  pipeline: "quickstart",
  set: [],
  addedAtMillis: 0,
  ...changes
})

const using = <A, E>(folder: string, effect: Effect.Effect<A, E, ScheduleBook | SlotLedger | Scope.Scope>) =>
  Effect.scoped(Effect.provide(effect, fileSchedulesLayer(folder)))

const add = (schedule: ScheduleRecord) => Effect.flatMap(ScheduleBook, (book) => book.add(schedule))
const names = Effect.flatMap(ScheduleBook, (book) =>
  Effect.map(book.all, (all) => all.map(({ name }) => name))
)

describe("the book", () => {
  it.effect("is empty at first, keeps what is added in order, forgets what is removed", () =>
    using(
      newFolder(),
      Effect.gen(function* () {
        const book = yield* ScheduleBook
        assert.deepStrictEqual(yield* names, [])
        yield* book.add(record("b", { timezone: "Europe/Berlin", set: ["x.y=1"] }))
        yield* book.add(record("a"))
        const [b] = yield* book.all
        assert.deepInclude(b, { timezone: "Europe/Berlin", set: ["x.y=1"], cron: "30 2 * * *" })
        assert.deepStrictEqual(yield* names, ["b", "a"])
        yield* book.remove("b")
        assert.deepStrictEqual(yield* names, ["a"])
      })
    )
  )

  it.effect("refuses a name twice, and to remove what is not there", () =>
    using(
      newFolder(),
      Effect.gen(function* () {
        yield* add(record("a"))
        const twice = yield* Effect.flip(add(record("a", { cron: "0 0 * * *" })))
        assert.strictEqual(twice._tag, "ScheduleExists")
        const absent = yield* Effect.flip(Effect.flatMap(ScheduleBook, (book) => book.remove("b")))
        assert.deepInclude(absent, { _tag: "NoSuchSchedule", name: "b", known: ["a"] })
        assert.deepStrictEqual(yield* names, ["a"])
      })
    )
  )

  it.live("loses nothing when many write at once", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      const wanted = Array.from({ length: 20 }, (_, index) => `s${index}`)
      yield* Effect.forEach(wanted, (name) => using(folder, add(record(name))), {
        concurrency: "unbounded"
      })
      assert.sameMembers([...(yield* using(folder, names))], wanted)
    })
  )

  it.effect.each([
    ["{", /in JSON at position 1/],
    ["[]", /Expected object/],
    ['{"schemaVersion":2,"schedules":[]}', /schemaVersion is 2, this program knows 1: update distillery/],
    ['{"schemaVersion":1,"schedules":[{"name":"x"}]}', /Missing key/],
    [
      JSON.stringify({ schemaVersion: 1, schedules: [record("x", { cron: "1 2 3" })] }),
      /schedule "x": "1 2 3" is no cron expression, it takes five fields/
    ],
    [
      JSON.stringify({ schemaVersion: 1, schedules: [record("x", { timezone: "Mars/Base" })] }),
      /schedule "x": there is no time zone "Mars\/Base"/
    ],
    [JSON.stringify({ schemaVersion: 1, schedules: [record("../x")] }), /at \["schedules"\]\[0\]\["name"\]/]
  ] as const)("refuses %s, and does not write over it", ([content, message]) =>
    Effect.gen(function* () {
      const folder = newFolder()
      const file = join(folder, "schedules.json")
      writeFileSync(file, content)
      for (const effect of [names, add(record("a"))]) {
        const error = yield* Effect.flip(using(folder, effect))
        assert.strictEqual(error._tag, "SchedulesUnreadable")
        assert.match(error.message, message)
        assert.include(error.message, file)
      }
      assert.strictEqual(readFileSync(file, "utf8"), content)
    })
  )

  it.effect("says so where it cannot be written", () =>
    Effect.gen(function* () {
      const folder = join(root, "a-file")
      writeFileSync(folder, "")
      const error = yield* Effect.flip(using(join(folder, "below"), add(record("a"))))
      assert.match(error.message, /a-file.*(cannot be written|cannot be read): .*ENOTDIR/)
    })
  )
})

const lastRun = { startedAtMillis: 1, endedAtMillis: 2, exitCode: 0 }

describe("the ledger", () => {
  it.effect("keeps what is settled, schedule by schedule", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      yield* using(
        folder,
        Effect.gen(function* () {
          const ledger = yield* SlotLedger
          assert.isUndefined(yield* ledger.settled("a"))
          yield* ledger.settle("a", { untilMillis: 5, lastRun })
          yield* ledger.settle("b", { untilMillis: 6, lastRun })
          yield* ledger.settle("a", { untilMillis: 7, lastRun })
        })
      )
      const kept = (name: string) =>
        using(
          folder,
          Effect.flatMap(SlotLedger, (ledger) => ledger.settled(name))
        )
      assert.deepStrictEqual(yield* kept("a"), { untilMillis: 7, lastRun })
      assert.deepStrictEqual(yield* kept("b"), { untilMillis: 6, lastRun })
    })
  )

  it.effect("that is broken is refused, with what to do", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      writeFileSync(join(folder, "scheduler-state.json"), "?")
      const error = yield* Effect.flip(
        using(
          folder,
          Effect.flatMap(SlotLedger, (ledger) => ledger.settled("a"))
        )
      )
      assert.match(error.message, /scheduler-state\.json: .*\nRemove it: /)
    })
  )
})

const claim = (folder: string) =>
  Effect.provide(
    Effect.flatMap(SlotLedger, (ledger) => ledger.claim("a")),
    fileSchedulesLayer(folder)
  )

/** As the claim of another process would be written. */
const writeOwner = (folder: string, pids: ReadonlyArray<number>, host = hostname()): string => {
  mkdirSync(join(folder, "running"), { recursive: true })
  const file = join(folder, "running", "a.json")
  writeFileSync(file, JSON.stringify({ host, token: "theirs", pids }))
  return file
}

const sleeper = Effect.acquireRelease(
  Effect.sync(() => spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"])),
  (child) => Effect.promise(() => new Promise((resolve) => child.once("exit", resolve).kill("SIGKILL")))
)

describe("a claim", () => {
  it.effect("is given to one at a time, and comes back with its scope", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(claim(folder), scope)
      assert.strictEqual(first._tag, "Ours")
      assert.deepStrictEqual(yield* Effect.scoped(claim(folder)), {
        _tag: "Held",
        by: `process ${process.pid}`
      })
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Effect.scoped(claim(folder)))._tag, "Ours")
    })
  )

  it.live("is given to one of many who ask at once", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      const claims = yield* Effect.forEach(Array.from({ length: 12 }), () => claim(folder), {
        concurrency: "unbounded"
      })
      assert.lengthOf(
        claims.filter(({ _tag }) => _tag === "Ours"),
        1
      )
    }).pipe(Effect.scoped)
  )

  it.live("stays with a process that lives, and with one that it was shared with", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      const child = yield* sleeper
      const dead = yield* Effect.scoped(Effect.map(sleeper, ({ pid }) => pid!))
      writeOwner(folder, [child.pid!])
      assert.deepStrictEqual(yield* claim(folder), { _tag: "Held", by: `process ${child.pid}` })
      writeOwner(folder, [dead, child.pid!])
      assert.deepStrictEqual(yield* claim(folder), { _tag: "Held", by: `process ${dead}` })
      writeOwner(folder, [dead])
      assert.strictEqual((yield* claim(folder))._tag, "Ours")
    }).pipe(Effect.scoped)
  )

  it.effect("may be shared, and is then written down", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      const ours = yield* claim(folder)
      if (ours._tag === "Ours") yield* ours.share(4_000_001)
      const { pids } = JSON.parse(readFileSync(join(folder, "running", "a.json"), "utf8"))
      assert.deepStrictEqual(pids, [process.pid, 4_000_001])
    }).pipe(Effect.scoped)
  )

  it.effect("of another machine is kept as long as it is renewed; an old one is no claim", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      const file = writeOwner(folder, [1], "elsewhere")
      assert.deepStrictEqual(yield* claim(folder), { _tag: "Held", by: "process 1 on elsewhere" })
      const old = Date.now() / 1000 - 120
      utimesSync(file, old, old)
      assert.strictEqual((yield* claim(folder))._tag, "Ours")
      // A process id that someone else has by now, after a restart of the machine.
      rmSync(file)
      utimesSync(writeOwner(folder, [process.ppid]), old, old)
      assert.strictEqual((yield* claim(folder))._tag, "Ours")
    }).pipe(Effect.scoped)
  )
})
