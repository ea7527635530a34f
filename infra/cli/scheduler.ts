/** `distillery scheduler` */
import { join } from "node:path"
import { Clock, Deferred, Effect, Fiber, Layer, Option } from "effect"
import { childRunsLayer } from "../schedule/childRuns.ts"
import { own } from "../schedule/ownership.ts"
import { type SchedulerOptions, serveForever, serveOnce } from "../schedule/Scheduler.ts"
import { LedgerFailed } from "../schedule/SlotLedger.ts"
import { nextSlot, shownAt } from "../schedule/Timetable.ts"
import { read, type SettingsValue } from "../settings.ts"
import { AlreadyReported, exitCodes, UsageError } from "./errors.ts"
import { Output } from "./Output.ts"
import { programFile } from "./programFile.ts"
import { asUsage, chosen, schedulesLayerOf } from "./schedule.ts"
import { StopRequests } from "./stopRequests.ts"

export interface SchedulerFlags {
  readonly names: ReadonlyArray<string>
  readonly once: boolean
}

/** Soon enough for a schedule that was just added, or a machine that has just woken up. */
const pollMillis = 30_000

/** Lines of a log that is read days later: each with its time. */
const timedLines = Effect.fn("scheduler.timedLines")(function* () {
  const { tell } = yield* Output
  return (line: string) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      tell([`${new Date(now).toISOString().slice(0, 19)}Z ${line}`])
    )
})

const layerOf = (settings: SettingsValue) =>
  Layer.merge(
    schedulesLayerOf(settings),
    childRunsLayer({
      programFile: programFile(),
      projectDir: settings.projectDir,
      environment: settings.environment
    })
  )

/** One for a project: two would tell each of their slots twice, though the ledger would let it run once. */
const onlyScheduler = Effect.fn("scheduler.onlyScheduler")(function* ({ projectDir }: SettingsValue) {
  const location = join(projectDir, ".distillery", "scheduler.json")
  const owned = yield* own(
    location,
    (error) => new LedgerFailed({ location, reason: String((error as Error).message ?? error) })
  )
  if (owned._tag === "Ours") return
  return yield* new UsageError({
    what: `a scheduler runs in this project already: ${owned.by}`,
    fix: "Stop that one first, or let it be: it sees new schedules by itself"
  })
})

const greet = Effect.fn("scheduler.greet")(function* ({ serves, tell }: SchedulerOptions) {
  const now = yield* Clock.currentTimeMillis
  const served = (yield* chosen(undefined)).filter(({ name }) => serves(name))
  yield* tell(`scheduler started, ${served.length === 1 ? "1 schedule" : `${served.length} schedules`}`)
  for (const { name, timetable } of served) {
    yield* tell(`${name}: next at ${shownAt(timetable, nextSlot(timetable, now))}`)
  }
})

/** Ends as `serving` does, or at the first signal, when its runs have stopped. */
const stoppable = Effect.fn("scheduler.stoppable")(function* <A, E, R>(
  { tell }: SchedulerOptions,
  serving: Effect.Effect<A, E, R>
) {
  const stopped = yield* Deferred.make<void>()
  const { onFirst } = yield* StopRequests
  const stopping = "stopping: runs end at their next step, their state is kept; again to kill"
  yield* onFirst(Effect.andThen(tell(stopping), Deferred.succeed(stopped, undefined)))
  const fiber = yield* Effect.forkScoped(serving)
  const ended = yield* Effect.raceFirst(
    Effect.asSome(Fiber.join(fiber)),
    Effect.as(Deferred.await(stopped), Option.none())
  )
  yield* Fiber.interrupt(fiber)
  return ended
}, Effect.scoped)

const forever = Effect.fn("scheduler.forever")(function* (
  settings: SettingsValue,
  options: SchedulerOptions
) {
  yield* onlyScheduler(settings)
  yield* greet(options)
  yield* stoppable(options, serveForever(options))
  yield* options.tell("scheduler stopped")
}, Effect.scoped)

const once = Effect.fn("scheduler.once")(function* (options: SchedulerOptions) {
  const served = Option.getOrElse(yield* stoppable(options, serveOnce(options)), () => [])
  // Silent in cron's logs, where most looks may find nothing.
  if (served.length === 0 && (yield* Output).canAnimate) yield* options.tell("nothing was due")
  const failed = served.find(({ exitCode }) => exitCode !== exitCodes.ok)
  if (failed !== undefined) return yield* new AlreadyReported({ exitCode: failed.exitCode })
})

export const scheduler = Effect.fn("scheduler")(function* (flags: SchedulerFlags) {
  const settings = yield* read
  const { names } = flags
  const options: SchedulerOptions = {
    tell: yield* timedLines(),
    pollMillis,
    serves: (name) => names.length === 0 || names.includes(name)
  }
  const serving = Effect.gen(function* () {
    for (const name of names) yield* chosen(name)
    yield* flags.once ? once(options) : forever(settings, options)
  })
  yield* serving.pipe(Effect.provide(layerOf(settings)), asUsage)
})
