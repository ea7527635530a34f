/** Schedules, and what became of their slots, in files of the project's `.distillery`. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Layer, Result, Schema } from "effect"
import { errorCode, withLockFile, writeAtomically } from "../stores/atomicFiles.ts"
import { makeFolder } from "../stores/makeFolder.ts"
import { own } from "./ownership.ts"
import {
  NoSuchSchedule,
  type Schedule,
  ScheduleBook,
  ScheduleExists,
  ScheduleRecord,
  SchedulesNotWritten,
  SchedulesUnreadable
} from "./ScheduleBook.ts"
import { LastRun, LedgerFailed, SlotLedger } from "./SlotLedger.ts"
import * as Timetable from "./Timetable.ts"

const schemaVersion = 1

const reasonOf = (error: unknown): string => String((error as Error).message ?? error)

/** `undefined` where there is no such file. */
const readIfThere = async (file: string): Promise<string | undefined> => {
  try {
    return await readFile(file, "utf8")
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined
    throw error
  }
}

const writeJson = (folder: string, file: string, document: unknown) =>
  writeAtomically({
    target: file,
    temporaryFolder: folder,
    bytes: new TextEncoder().encode(`${JSON.stringify(document, null, 2)}\n`),
    onlyIfAbsent: false
  })

/** Decodes `text`, or says why not; a newer format is told apart from a broken one. */
const decoded = <A>(text: string, schema: Schema.Decoder<A>): Result.Result<A, string> =>
  Result.gen(function* () {
    const json = yield* Result.try({
      try: () => JSON.parse(text) as { readonly schemaVersion?: unknown },
      catch: reasonOf
    })
    const version = typeof json === "object" && json !== null ? json.schemaVersion : undefined
    if (typeof version === "number" && version > schemaVersion) {
      return yield* Result.fail(
        `its schemaVersion is ${version}, this program knows ${schemaVersion}: update distillery`
      )
    }
    return yield* Result.mapError(Schema.decodeUnknownResult(schema)(json), reasonOf)
  })

const BookFile = Schema.Struct({
  schemaVersion: Schema.Literal(schemaVersion),
  schedules: Schema.Array(ScheduleRecord)
})

const mend = "Mend it, or move it away and add the schedules again."

const withTimetable = (record: ScheduleRecord): Result.Result<Schedule, string> =>
  Timetable.parse(record.cron, record.timezone).pipe(
    Result.map((timetable) => ({ ...record, timetable })),
    Result.mapError(
      ({ what, why }) => `schedule "${record.name}": ${why === undefined ? what : `${what}, ${why}`}`
    )
  )

const readBook = (file: string): Effect.Effect<ReadonlyArray<Schedule>, SchedulesUnreadable> => {
  const unreadable = (reason: string) => new SchedulesUnreadable({ location: file, reason })
  return Effect.gen(function* () {
    const text = yield* Effect.tryPromise({
      try: () => readIfThere(file),
      catch: (error) => unreadable(reasonOf(error))
    })
    if (text === undefined) return []
    const read = Result.flatMap(decoded(text, BookFile), ({ schedules }) =>
      Result.all(schedules.map(withTimetable))
    )
    return yield* Effect.mapError(Effect.fromResult(read), (reason) => unreadable(`${reason}\n${mend}`))
  })
}

const stored = ({ timetable: _, ...record }: Schedule): ScheduleRecord => record

const makeBook = (folder: string): ScheduleBook["Service"] => {
  const file = join(folder, "schedules.json")
  const all = readBook(file)

  /** Reads, changes and writes while no other process does. */
  const change = <E>(
    decide: (schedules: ReadonlyArray<ScheduleRecord>) => Result.Result<ReadonlyArray<ScheduleRecord>, E>
  ) =>
    Effect.gen(function* () {
      const context = yield* Effect.context<never>()
      const changed = Effect.gen(function* () {
        const schedules = yield* Effect.fromResult(decide((yield* all).map(stored)))
        yield* Effect.promise(() => writeJson(folder, file, { schemaVersion, schedules }))
      })
      const exclusive = async () => {
        await makeFolder(folder)
        return withLockFile(`${file}.turn`, () => Effect.runPromiseWith(context)(Effect.result(changed)))
      }
      const outcome = yield* Effect.tryPromise({
        try: exclusive,
        catch: (error) => new SchedulesNotWritten({ location: file, reason: reasonOf(error) })
      })
      return yield* Effect.fromResult(outcome)
    }).pipe(Effect.uninterruptible)

  return {
    all,
    add: (schedule) =>
      change((schedules) =>
        schedules.some(({ name }) => name === schedule.name)
          ? Result.fail(new ScheduleExists({ name: schedule.name }))
          : Result.succeed([...schedules, schedule])
      ),
    remove: (name) =>
      change((schedules) => {
        const known = schedules.map((schedule) => schedule.name)
        if (!known.includes(name)) return Result.fail(new NoSuchSchedule({ name, known }))
        return Result.succeed(schedules.filter((schedule) => schedule.name !== name))
      })
  }
}

const LedgerFile = Schema.Struct({
  schemaVersion: Schema.Literal(schemaVersion),
  schedules: Schema.Record(Schema.String, Schema.Struct({ untilMillis: Schema.Int, lastRun: LastRun }))
})

/** Losing it costs little: each schedule runs once more, and what is cached is a hit. */
const forget = "Remove it: each schedule then runs once, and goes on."

const makeLedger = (folder: string): SlotLedger["Service"] => {
  const file = join(folder, "scheduler-state.json")
  const failed = (error: unknown) => new LedgerFailed({ location: file, reason: reasonOf(error) })

  const read = Effect.gen(function* () {
    const text = yield* Effect.tryPromise({ try: () => readIfThere(file), catch: failed })
    if (text === undefined) return {}
    return yield* Effect.fromResult(decoded(text, LedgerFile)).pipe(
      Effect.map(({ schedules }) => schedules),
      Effect.mapError((reason) => failed(`${reason}\n${forget}`))
    )
  })

  return {
    settled: (schedule) => Effect.map(read, (schedules) => schedules[schedule]),
    settle: (schedule, settled) =>
      Effect.gen(function* () {
        const context = yield* Effect.context<never>()
        const write = Effect.flatMap(read, (schedules) =>
          Effect.promise(() =>
            writeJson(folder, file, { schemaVersion, schedules: { ...schedules, [schedule]: settled } })
          )
        )
        const outcome = yield* Effect.tryPromise({
          try: () => withLockFile(`${file}.turn`, () => Effect.runPromiseWith(context)(Effect.result(write))),
          catch: failed
        })
        return yield* Effect.fromResult(outcome)
      }).pipe(Effect.uninterruptible),
    claim: (schedule) => own(join(folder, "running", `${schedule}.json`), failed)
  }
}

/** `folder`: the project's `.distillery`. */
export const fileSchedulesLayer = (folder: string): Layer.Layer<ScheduleBook | SlotLedger> =>
  Layer.mergeAll(Layer.succeed(ScheduleBook, makeBook(folder)), Layer.succeed(SlotLedger, makeLedger(folder)))
