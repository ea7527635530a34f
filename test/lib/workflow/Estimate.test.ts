import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { TestClock } from "effect/testing"
import { estimatePlan } from "../../../lib/workflow/Estimate.ts"
import * as Plan from "../../../lib/workflow/Plan.ts"
import { Runner } from "../../../lib/workflow/Runner.ts"
import {
  makeWorld,
  memoryStorage,
  type ToyParams,
  toyEngine,
  toyParams,
  toyPipeline,
  type World
} from "../../support/toyStages.ts"

const onMemory = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof memoryStorage>>) =>
  Effect.provide(effect, memoryStorage)

/** A world in which a job of a stage takes so many seconds. */
const slowWorld = (seconds: { readonly [stage: string]: number }): World => {
  const world = makeWorld()
  for (const [stage, one] of Object.entries(seconds)) {
    world.before[stage] = TestClock.adjust(`${one} seconds`)
  }
  return world
}

const run = (world: World, params: ToyParams = toyParams) =>
  Effect.flatMap(Runner, (runner) =>
    runner.run(toyPipeline(world, params), { selection: {}, concurrency: 1 })
  ).pipe(Effect.provide(toyEngine(world)))

const estimated = (world: World, params: ToyParams, cpu: number) =>
  Effect.gen(function* () {
    const plan = yield* Plan.make(toyPipeline(world, params), {})
    return yield* estimatePlan(plan, { cpu, gpu: 1 })
  }).pipe(Effect.provide(toyEngine(world)))

describe("an estimate", () => {
  it.effect("of what never ran says nothing", () =>
    onMemory(
      Effect.gen(function* () {
        const estimate = yield* estimated(makeWorld(), toyParams, 4)
        assert.deepStrictEqual(estimate, {
          jobs: {},
          unknown: ["numbers", "total", "double", "triple", "table"],
          wallSeconds: 0,
          storedBytes: 0
        })
      })
    )
  )

  it.effect("is what past runs took: the longest way through the graph, as wide as the pools are", () =>
    onMemory(
      Effect.gen(function* () {
        const world = slowWorld({ numbers: 10, total: 5, scale: 20, table: 1 })
        yield* run(world)
        const params = { ...toyParams, values: [1, 2, 30] }
        const wide = yield* estimated(world, params, 4)
        assert.deepStrictEqual(wide.unknown, [])
        assert.deepStrictEqual(wide.jobs.numbers, { seconds: 10, storedBytes: 7, differs: ["values[2]"] })
        assert.deepInclude(wide.jobs.table, { seconds: 1, storedBytes: 0, differs: [] })
        assert.strictEqual(wide.storedBytes, 7)
        assert.strictEqual(wide.wallSeconds, 10 + 5 + 20 + 1)
        const narrow = yield* estimated(world, params, 1)
        assert.strictEqual(narrow.wallSeconds, 10 + 5 + 20 + 20 + 1)
      })
    )
  )

  it.effect("leaves hits out, and follows the past run whose params were nearest", () =>
    onMemory(
      Effect.gen(function* () {
        yield* run(slowWorld({ scale: 20 }))
        yield* run(slowWorld({ scale: 7 }), { ...toyParams, double: 4, precision: "float32" })
        const estimate = yield* estimated(makeWorld(), { ...toyParams, double: 5 }, 1)
        assert.deepStrictEqual(Object.keys(estimate.jobs), ["double", "table"])
        assert.deepStrictEqual(estimate.jobs.double, { seconds: 20, storedBytes: 0, differs: ["factor"] })
      })
    )
  )

  it.effect("follows other jobs that were said to be alike, where they were nearer", () =>
    onMemory(
      Effect.gen(function* () {
        const world = slowWorld({ scale: 20 })
        yield* run(world)
        const toy = toyPipeline(makeWorld(), { ...toyParams, double: 5 })
        const pipeline = { ...toy, name: "another" }
        const asked = (alike: Parameters<typeof estimatePlan>[2]) =>
          Effect.gen(function* () {
            const plan = yield* Plan.make(pipeline, {})
            return yield* estimatePlan(plan, { cpu: 1, gpu: 1 }, alike)
          }).pipe(Effect.provide(toyEngine(makeWorld())))
        assert.deepStrictEqual((yield* asked(undefined)).jobs, {})
        const names = ["triple", "double"]
        const alike = yield* asked(() => names.map((job) => ({ pipeline: toy.name, job })))
        assert.deepStrictEqual(alike.jobs.double, { seconds: 20, storedBytes: 0, differs: ["factor"] })
      })
    )
  )
})
