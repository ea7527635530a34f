/**
 * Runs schedules when they are due.
 *
 * Slots that were missed while nobody looked come down to one run. A slot that comes while the run before it
 * still goes on is skipped. Both are said. What is settled is kept by the ledger, so that neither a restart
 * nor a second process beside this one loses a slot or runs it twice.
 */
import { Clock, Effect, FiberMap } from "effect"
import { type Schedule, ScheduleBook } from "./ScheduleBook.ts"
import { ScheduledRuns } from "./ScheduledRuns.ts"
import { type Claim, SlotLedger } from "./SlotLedger.ts"
import { countMax, type DueSlots, nextSlot, shownAt, slotsBetween } from "./Timetable.ts"

export interface SchedulerOptions {
  /** One line, without its end. */
  readonly tell: (line: string) => Effect.Effect<void>
  /** Looks at the list of schedules, and at the clock, at least this often. */
  readonly pollMillis: number
  /** Which schedules to serve. */
  readonly serves: (name: string) => boolean
}

/** A slot this old was not met on time: the scheduler was down, or the machine slept. */
const lateMillis = 90_000

const startedLine = (
  { name, timetable }: Schedule,
  { count, firstMillis }: DueSlots,
  now: number
): string => {
  const first = shownAt(timetable, firstMillis)
  if (count > 1) {
    const many = count < countMax ? String(count) : `${countMax} or more`
    return `${name}: ${many} slots were missed since ${first}; one run for all of them started`
  }
  if (now - firstMillis > lateMillis) return `${name}: the slot of ${first} was missed; its run started late`
  return `${name}: run of ${first} started`
}

const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`

/** Where the slots that nobody has looked at yet begin. */
const settledUntil = Effect.fn("Scheduler.settledUntil")(function* (schedule: Schedule) {
  const settled = yield* (yield* SlotLedger).settled(schedule.name)
  // One that was removed and added again owes nothing from before.
  return Math.max(settled?.untilMillis ?? 0, schedule.addedAtMillis)
})

const claimPollMillis = 1_000

/** Ours at last: whoever had it has settled what was due, or is gone and has left it to us. */
const claimAfterOthers = Effect.fn("Scheduler.claimAfterOthers")(function* (
  name: string,
  { tell }: SchedulerOptions
) {
  const ledger = yield* SlotLedger
  for (let told = false; ; told = true) {
    const claim = yield* ledger.claim(name)
    if (claim._tag === "Ours") return claim
    if (!told) yield* tell(`${name}: ${claim.by} still runs it; waiting for its end`)
    yield* Effect.sleep(claimPollMillis)
  }
})

/** Runs what is due of a schedule that is ours. Resolves to the exit code, `undefined` if nothing was due. */
const serve = Effect.fn("Scheduler.serve")(function* (
  schedule: Schedule,
  { share }: Extract<Claim, { readonly _tag: "Ours" }>,
  { tell }: SchedulerOptions
) {
  const { name, timetable } = schedule
  const started = yield* Clock.currentTimeMillis
  const due = slotsBetween(timetable, yield* settledUntil(schedule), started)
  if (due === undefined) return undefined
  yield* tell(startedLine(schedule, due, started))
  const exitCode = yield* (yield* ScheduledRuns)
    .run(schedule, share)
    .pipe(Effect.onInterrupt(() => tell(`${name}: run stopped; it goes on at the next start`)))
  const ended = yield* Clock.currentTimeMillis
  yield* tell(`${name}: run ended after ${seconds(ended - started)} with exit code ${exitCode}`)
  const lastRun = { startedAtMillis: started, endedAtMillis: ended, exitCode }
  yield* (yield* SlotLedger).settle(name, { untilMillis: ended, lastRun })
  return exitCode
})

const serveUnlessHeld = Effect.fn("Scheduler.serveUnlessHeld")(function* (
  schedule: Schedule,
  options: SchedulerOptions
) {
  const claim = yield* (yield* SlotLedger).claim(schedule.name)
  if (claim._tag === "Ours") return yield* serve(schedule, claim, options)
  yield* options.tell(`${schedule.name}: skipped, ${claim.by} still runs it`)
  return undefined
}, Effect.scoped)

export interface Served {
  readonly name: string
  readonly exitCode: number
}

/** Serves once what is due now, and ends. Resolves to what was run. */
export const serveOnce = Effect.fn("Scheduler.serveOnce")(function* (options: SchedulerOptions) {
  const schedules = (yield* (yield* ScheduleBook).all).filter(({ name }) => options.serves(name))
  const served = yield* Effect.forEach(
    schedules,
    (schedule) =>
      Effect.map(
        serveUnlessHeld(schedule, options),
        (exitCode): ReadonlyArray<Served> =>
          exitCode === undefined ? [] : [{ name: schedule.name, exitCode }]
      ),
    { concurrency: "unbounded" }
  )
  return served.flat()
})

/** What the loop remembers of a schedule: the first slot that it has not looked at. */
interface Watched {
  readonly addedAtMillis: number
  nextMillis: number
}

/** The schedules as they are now; those known before while the list cannot be read, which is said once. */
const makeReader = Effect.fn("Scheduler.makeReader")(function* (options: SchedulerOptions) {
  const book = yield* ScheduleBook
  let known = yield* book.all
  let told = ""
  return Effect.gen(function* () {
    const read = yield* Effect.result(book.all)
    const problem = read._tag === "Failure" ? read.failure.message : ""
    if (problem !== "" && problem !== told) {
      yield* options.tell(`${problem}\n  Going on with the schedules known before.`)
    }
    told = problem
    if (read._tag === "Success") known = read.success
    return known.filter(({ name }) => options.serves(name))
  })
})

const watch = Effect.fn("Scheduler.watch")(function* (watched: Map<string, Watched>, schedule: Schedule) {
  const { addedAtMillis, name } = schedule
  const before = watched.get(name)
  if (before?.addedAtMillis === addedAtMillis) return before
  const nextMillis = nextSlot(schedule.timetable, yield* settledUntil(schedule))
  const one: Watched = { addedAtMillis, nextMillis }
  watched.set(name, one)
  return one
})

/**
 * Serves schedules as they come due, until it is interrupted; it then ends when the runs have stopped. A list
 * that can no longer be read is told, and read again.
 */
export const serveForever = Effect.fn("Scheduler.serveForever")(function* (options: SchedulerOptions) {
  const schedules = yield* makeReader(options)
  const running = yield* FiberMap.make<string>()
  const watched = new Map<string, Watched>()

  const start = (schedule: Schedule) =>
    FiberMap.run(
      running,
      schedule.name,
      claimAfterOthers(schedule.name, options).pipe(
        Effect.flatMap((claim) => serve(schedule, claim, options)),
        Effect.scoped,
        Effect.catch(({ message }) => options.tell(`${schedule.name}: ${message}`))
      )
    )

  /** Starts what has come due; resolves to when it comes due next. */
  const look = Effect.fnUntraced(function* (schedule: Schedule, now: number) {
    const one = yield* watch(watched, schedule)
    if (one.nextMillis > now) return one.nextMillis
    if (yield* FiberMap.has(running, schedule.name)) {
      const slot = shownAt(schedule.timetable, one.nextMillis)
      yield* options.tell(`${schedule.name}: slot of ${slot} skipped, its last run still goes on`)
    } else yield* start(schedule)
    one.nextMillis = nextSlot(schedule.timetable, now)
    return one.nextMillis
  })

  for (;;) {
    const now = yield* Clock.currentTimeMillis
    const next = yield* Effect.forEach(yield* schedules, (schedule) => look(schedule, now))
    const wait = Math.min(options.pollMillis, ...next.map((slot) => slot - now))
    yield* Effect.sleep(wait)
  }
}, Effect.scoped)
