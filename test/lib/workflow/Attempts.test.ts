/** Attempts and limits of a job, on the toy pipeline and a clock that the test moves. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, type Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Runner, type RunOptions } from "../../../lib/workflow/Runner.ts"
import { makeWorld, memoryStorage, toyEngine, toyPipeline, type World } from "../../support/toyStages.ts"

class Busy extends Schema.TaggedError<Busy>()("Busy", { message: Schema.String }) {
  readonly transient = true
}
class Wrong extends Schema.TaggedError<Wrong>()("Wrong", { message: Schema.String }) {}

const onMemory = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof memoryStorage>>) =>
  Effect.provide(effect, memoryStorage)

/** The first `times` runs of `total` fail so. */
const failingFirst = (world: World, times: number, error: Busy | Wrong) => {
  let calls = 0
  world.before.total = Effect.suspend(() => (calls++ < times ? Effect.fail(error) : Effect.void))
}

/** Runs while the clock leaps: every sleep is over at once. */
const run = (world: World, more: Partial<RunOptions> = {}) =>
  Effect.gen(function* () {
    const runner = yield* Runner
    const running = yield* Effect.forkChild(
      runner.run(toyPipeline(world), { selection: {}, concurrency: 4, ...more })
    )
    yield* Effect.forkChild(
      Effect.forever(
        Effect.andThen(
          TestClock.adjust("1 second"),
          Effect.promise(() => Promise.resolve())
        )
      )
    )
    return (yield* Fiber.join(running)).report
  }).pipe(Effect.provide(toyEngine(world)))

const retriesIn = (world: World) =>
  world.events.flatMap((event) => (event._tag === "JobRetrying" ? [event] : []))

describe("an error that may pass", () => {
  it.effect("is tried again, later each time, and the attempts are told", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        failingFirst(world, 2, new Busy({ message: "in a minute" }))
        const report = yield* run(world)
        assert.strictEqual(report.status, "ok")
        const retries = retriesIn(world)
        assert.deepStrictEqual(
          retries.map(({ attempt, attemptsMax, error, job }) => [job, attempt, attemptsMax, error.tag]),
          [
            ["total", 1, 3, "Busy"],
            ["total", 2, 3, "Busy"]
          ]
        )
        const [first, second] = retries.map(({ waitSeconds }) => waitSeconds)
        assert.isTrue(first! >= 0.75 && first! <= 1.25, String(first))
        assert.isTrue(second! >= 1.5 && second! <= 2.5, String(second))
        const { notes } = report.jobs[1]!
        assert.lengthOf(notes, 2)
        assert.match(notes[1]!, /^attempt 2 of 3 failed \(Busy\) and was tried again after [\d.]+ s$/)
        assert.lengthOf(
          world.ran.filter((stage) => stage === "total"),
          3
        )
      })
    )
  )

  it.effect("moves no key", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        failingFirst(world, 1, new Busy({ message: "in a minute" }))
        const first = yield* run(world)
        const second = yield* run(makeWorld())
        assert.deepStrictEqual(
          second.jobs.map(({ key, state }) => [key, state]),
          first.jobs.map(({ key }) => [key, "hit"])
        )
      })
    )
  )

  it.effect("that does not pass fails the job in the end", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        failingFirst(world, 99, new Busy({ message: "never" }))
        const report = yield* run(world)
        assert.lengthOf(retriesIn(world), 2)
        assert.deepInclude(report.jobs[1], { state: "failed" })
        assert.strictEqual(report.jobs[1]!.error?.tag, "Busy")
        assert.lengthOf(report.jobs[1]!.notes, 2)
      })
    )
  )

  it.effect("is not waited for once the run is asked to stop", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        const failed = yield* Deferred.make<void>()
        world.before.total = Effect.andThen(
          Deferred.succeed(failed, undefined),
          Effect.fail(new Busy({ message: "in a minute" }))
        )
        // The clock stands still: only the stop can end the wait.
        const report = yield* Effect.gen(function* () {
          const runner = yield* Runner
          const running = yield* Effect.forkChild(
            runner.run(toyPipeline(world), { selection: {}, concurrency: 4 })
          )
          yield* Deferred.await(failed)
          while (retriesIn(world).length === 0) yield* Effect.promise(() => Promise.resolve())
          yield* runner.requestStop
          return (yield* Fiber.join(running)).report
        }).pipe(Effect.provide(toyEngine(world)))
        assert.strictEqual(report.status, "stopped")
        assert.deepInclude(report.jobs[1], { state: "skipped" })
      })
    )
  )
})

describe("an error that says nothing of passing", () => {
  it.effect("is never tried again", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        failingFirst(world, 1, new Wrong({ message: "as ever" }))
        const report = yield* run(world)
        assert.deepStrictEqual(retriesIn(world), [])
        assert.strictEqual(report.jobs[1]!.error?.tag, "Wrong")
      })
    )
  )
})

describe("a time limit", () => {
  it.effect("ends a job that does not stop, with what it came to and what to do", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        world.before.total = Effect.never
        const report = yield* run(world, { timeLimits: { total: 600_000 } })
        const { error } = report.jobs[1]!
        assert.strictEqual(error?.tag, "TimeLimitExceeded")
        assert.strictEqual(
          error?.message,
          [
            'Job "total" took longer than its limit of 10 m: it had reported no progress.',
            "It did not stop when asked and was killed. Run again: it goes on from its last saved state;",
            "or give it longer: --time-limit total=20m."
          ].join(" ")
        )
        assert.deepStrictEqual(retriesIn(world), [])
      })
    )
  )

  it.effect("does nothing to a job that is done in time, and moves no key", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        world.before.total = Effect.sleep(500_000)
        const limited = yield* run(world, { timeLimits: { total: 600_000 } })
        assert.strictEqual(limited.status, "ok")
        const without = yield* run(makeWorld())
        assert.deepStrictEqual(
          without.jobs.map(({ key, state }) => [key, state]),
          limited.jobs.map(({ key }) => [key, "hit"])
        )
      })
    )
  )
})
