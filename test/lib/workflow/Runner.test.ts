/** Goal: exactly what depends on an edit runs again. Method: a toy pipeline, a table of edits, two runs. */

import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, type Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { blobKey } from "../../../lib/storage/blobs.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../../lib/storage/Signature.ts"
import { Runner, type RunOptions } from "../../../lib/workflow/Runner.ts"
import { runReportKey } from "../../../lib/workflow/RunReport.ts"
import { manifestKey } from "../../../lib/workflow/SignedManifest.ts"
import {
  codeOf,
  makeWorld,
  memoryStorage,
  ToyError,
  type ToyParams,
  toyEngine,
  toyParams,
  toyPipeline,
  type World
} from "../../support/toyStages.ts"

const options: RunOptions = { selection: {}, concurrency: 4 }

/** A run in an engine of its own, on the storage around it. */
const run = (world: World, params: ToyParams = toyParams, more: Partial<RunOptions> = {}) =>
  Effect.gen(function* () {
    world.ran.length = 0
    world.events.length = 0
    return yield* (yield* Runner).run(toyPipeline(world, params), { ...options, ...more })
  }).pipe(Effect.provide(toyEngine(world)))

const states = (outcome: {
  readonly report: { readonly jobs: ReadonlyArray<{ name: string; state: string }> }
}) => outcome.report.jobs.map((job) => `${job.name} ${job.state}`).join(", ")

const ranJobs = (outcome: Parameters<typeof states>[0]) =>
  outcome.report.jobs.filter((job) => job.state === "ran").map((job) => job.name)

const onMemory = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof memoryStorage>>) =>
  Effect.provide(effect, memoryStorage)

interface Edit {
  readonly edit: string
  readonly params?: Partial<ToyParams>
  readonly change?: (world: World) => void
  readonly reran: ReadonlyArray<string>
}

const edits: ReadonlyArray<Edit> = [
  { edit: "nothing", reran: [] },
  { edit: "a param of a leaf", params: { double: 4 }, reran: ["double", "table"] },
  {
    edit: "numbers of another total",
    params: { values: [1, 2, 4] },
    reran: ["numbers", "total", "double", "triple", "table"]
  },
  {
    edit: "numbers of the same total (early cutoff)",
    params: { values: [3, 3] },
    reran: ["numbers", "total"]
  },
  {
    edit: "code of a stage, with the same result (early cutoff)",
    change: (world) => {
      world.code.total = { declarations: { "stages/total.run.ts#run": codeOf("edited") }, packages: {} }
    },
    reran: ["total"]
  },
  {
    edit: "a package of two jobs' stage",
    change: (world) => {
      world.code.scale = { declarations: {}, packages: { effect: "4.1.1 sha512-b" } }
    },
    reran: ["double", "triple"]
  },
  { edit: "two params made equal", params: { triple: 2 }, reran: ["table"] }
]

describe("what reruns", () => {
  it.effect.each(edits)("after an edit of $edit", ({ params, change, reran }) =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        const first = yield* run(world)
        assert.deepStrictEqual(ranJobs(first), ["numbers", "total", "double", "triple", "table"])
        change?.(world)
        const second = yield* run(world, { ...toyParams, ...params })
        assert.strictEqual(second.report.status, "ok")
        assert.deepStrictEqual(ranJobs(second), reran)
        assert.strictEqual(world.ran.length, reran.length)
        assert.deepStrictEqual(yield* Effect.map(run(world, { ...toyParams, ...params }), ranJobs), [])
      })
    )
  )

  it.effect("settings do not: any concurrency, another run, the same keys", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        const first = yield* run(world, toyParams, { concurrency: 1 })
        const second = yield* run(world, toyParams, { concurrency: 8 })
        assert.deepStrictEqual(
          second.report.jobs.map((job) => job.key),
          first.report.jobs.map((job) => job.key)
        )
        assert.deepStrictEqual(ranJobs(second), [])
      })
    )
  )

  it.effect("two equal jobs of one run run once", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        const outcome = yield* run(world, { ...toyParams, triple: 2 })
        assert.deepStrictEqual(
          world.ran.filter((stage) => stage === "scale"),
          ["scale"]
        )
        assert.deepStrictEqual(outcome.manifests.table!.output.value, { rows: { double: 12, triple: 12 } })
      })
    )
  )

  it.effect("a run of hits loads no body", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        yield* run(world)
        world.loaded.length = 0
        yield* run(world)
        assert.deepStrictEqual(world.loaded, [])
      })
    )
  )
})

const failing = Effect.fail(new ToyError({ message: "as told" }))

describe("a failure", () => {
  it.effect.each([
    ["an error", failing, "ToyError", /as told/],
    ["a defect", Effect.die(new TypeError("a bug")), "Defect", /TypeError: a bug/]
  ] as const)(
    "%s of a job takes its dependants only, and what is finished is kept",
    ([, what, tag, message]) =>
      onMemory(
        Effect.gen(function* () {
          const world = makeWorld()
          world.before.table = what
          const broken = yield* run(world)
          assert.strictEqual(broken.report.status, "failed")
          assert.strictEqual(states(broken), "numbers ran, total ran, double ran, triple ran, table failed")
          const { error } = broken.report.jobs.at(-1)!
          assert.strictEqual(error?.tag, tag)
          assert.match(error!.message, message)
          delete world.before.table
          assert.deepStrictEqual(yield* Effect.map(run(world), ranJobs), ["table"])
        })
      )
  )

  it.effect("starts nothing new: what was not started says so, and hits are hits", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        yield* run(world, { ...toyParams, triple: 5 })
        let calls = 0
        world.before.scale = Effect.suspend(() => (calls++ === 0 ? failing : Effect.void))
        const params = { ...toyParams, double: 7 }
        const outcome = yield* run(world, params, { concurrency: 1 })
        assert.strictEqual(outcome.report.status, "failed")
        assert.strictEqual(
          states(outcome),
          "numbers hit, total hit, double failed, triple skipped, table skipped"
        )
        assert.deepStrictEqual(outcome.report.jobs[3]!.notes, [
          'not started, because "double" failed (--keep-going starts what does not depend on it)'
        ])
        const again = yield* run(world, { ...params, triple: 5 }, { concurrency: 1 })
        assert.strictEqual(states(again), "numbers hit, total hit, double ran, triple hit, table ran")
      })
    )
  )

  it.effect("lets what runs already finish", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        let calls = 0
        const failedOne = yield* Deferred.make<void>()
        world.before.scale = Effect.suspend(() =>
          calls++ === 0
            ? Effect.ensuring(failing, Deferred.succeed(failedOne, undefined))
            : Deferred.await(failedOne)
        )
        const outcome = yield* run(world)
        assert.strictEqual(
          states(outcome),
          "numbers ran, total ran, double failed, triple ran, table skipped"
        )
      })
    )
  )

  it.effect("with keepGoing lets independent branches finish", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        let calls = 0
        world.before.scale = Effect.suspend(() => (calls++ === 0 ? failing : Effect.void))
        const outcome = yield* run(world, toyParams, { concurrency: 1, keepGoing: true })
        assert.strictEqual(
          states(outcome),
          "numbers ran, total ran, double failed, triple ran, table skipped"
        )
        const skipped = world.events.find((event) => event._tag === "JobSkipped")
        assert.deepStrictEqual(skipped, {
          _tag: "JobSkipped",
          job: "table",
          because: 'its input "double" failed'
        })
      })
    )
  )
})

describe("forcing", () => {
  it.effect("runs the job again and lets equal results stop the wave", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        yield* run(world)
        const outcome = yield* run(world, toyParams, { selection: { force: ["total"] } })
        assert.deepStrictEqual(ranJobs(outcome), ["total"])
        assert.deepStrictEqual(outcome.report.jobs[1]!.notes, ["computed again, with the same result"])
        const all = yield* run(world, toyParams, { selection: { force: "all" } })
        assert.lengthOf(ranJobs(all), 5)
      })
    )
  )
})

describe("stopping", () => {
  it.effect("starts nothing new; the next run goes on", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        const started = yield* Deferred.make<void>()
        const go = yield* Deferred.make<void>()
        world.before.total = Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(go))
        const outcome = yield* Effect.gen(function* () {
          const runner = yield* Runner
          const fiber = yield* Effect.forkChild(runner.run(toyPipeline(world), options))
          yield* Deferred.await(started)
          yield* runner.requestStop
          yield* Deferred.succeed(go, undefined)
          return yield* Fiber.join(fiber)
        }).pipe(Effect.provide(toyEngine(world)))
        assert.strictEqual(outcome.report.status, "stopped")
        assert.strictEqual(
          states(outcome),
          "numbers ran, total ran, double skipped, triple skipped, table skipped"
        )
        delete world.before.total
        assert.deepStrictEqual(yield* Effect.map(run(world), ranJobs), ["double", "triple", "table"])
      })
    )
  )
})

describe("the store", () => {
  it.effect("a lost blob, a damaged manifest: the job runs again and the slot is repaired", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        const first = yield* run(world)
        const store = yield* ObjectStore
        const { values } = first.manifests.numbers!.output.value as never as { values: { blob: never } }
        yield* store.remove(blobKey(values.blob))
        assert.deepStrictEqual(yield* Effect.map(run(world), ranJobs), ["numbers"])
        const path = manifestKey({ scope: mainScope, key: first.manifests.double!.jobKey })
        yield* store.put(path, (yield* store.get(path)).slice(0, 100))
        assert.deepStrictEqual(yield* Effect.map(run(world), ranJobs), ["double"])
        assert.deepStrictEqual(yield* Effect.map(run(world), ranJobs), [])
      })
    )
  )

  it.effect("keeps a report of every run", () =>
    onMemory(
      Effect.gen(function* () {
        const { report } = yield* run(makeWorld())
        const store = yield* ObjectStore
        const text = new TextDecoder().decode(yield* store.get(runReportKey(mainScope, report.runId)))
        assert.deepStrictEqual(JSON.parse(text), report)
        const left = yield* Stream.runCollect(store.list("resume/"))
        assert.deepStrictEqual(left, [])
      })
    )
  )
})

describe("the id of a run", () => {
  it.effect("sorts by when the run started, also within a second", () =>
    onMemory(
      Effect.gen(function* () {
        const ids: Array<string> = []
        for (let i = 0; i < 30; i++) {
          ids.push((yield* run(makeWorld())).report.runId)
          yield* TestClock.adjust("70 millis")
        }
        for (const id of ids) assert.match(id, /^\d{8}-\d{6}-[0-9a-f]{6}$/)
        assert.deepStrictEqual([...ids].sort(), ids)
      })
    )
  )
})

describe("events", () => {
  it.effect("tell a run in order", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        yield* run(world, toyParams, { concurrency: 1 })
        const told = world.events.map((event) => ("job" in event ? `${event._tag} ${event.job}` : event._tag))
        assert.deepStrictEqual(told, [
          "RunStarted",
          ...["numbers", "total", "double", "triple", "table"].flatMap((job) => [
            `JobStarted ${job}`,
            `JobFinished ${job}`
          ]),
          "RunFinished"
        ])
        yield* run(world)
        const hits = world.events.filter((event) => event._tag === "JobHit")
        assert.lengthOf(hits, 5)
      })
    )
  )
})
