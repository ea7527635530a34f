import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { adopt, adoptionOf } from "../../../lib/workflow/Adoption.ts"
import { lineage } from "../../../lib/workflow/Lineage.ts"
import * as Plan from "../../../lib/workflow/Plan.ts"
import { Runner } from "../../../lib/workflow/Runner.ts"
import {
  codeOf,
  makeWorld,
  memoryStorage,
  type ToyParams,
  toyEngine,
  toyParams,
  toyPipeline,
  type World
} from "../../support/toyStages.ts"

const statement = { by: "ada", at: "2026-11-24T12:00:00.000Z", reason: "only words changed" }

const run = (world: World) =>
  Effect.flatMap(Runner, (runner) => runner.run(toyPipeline(world), { selection: {}, concurrency: 1 })).pipe(
    Effect.provide(toyEngine(world))
  )

const planned = (world: World, params: ToyParams = toyParams) => Plan.make(toyPipeline(world, params), {})

const adopted = (world: World, job: string, params: ToyParams = toyParams) =>
  Effect.flatMap(planned(world, params), (plan) =>
    adopt(plan, job, statement, { reads: () => Effect.void })
  ).pipe(Effect.provide(toyEngine(world)))

const states = (world: World, params: ToyParams = toyParams) =>
  Effect.map(planned(world, params), ({ jobs }) =>
    jobs.map(({ name, state }) => `${name} ${state._tag}`).join(", ")
  ).pipe(Effect.provide(toyEngine(world)))

const edit = (world: World, stage: string): void => {
  world.code[stage] = {
    declarations: { [`stages/${stage}.run.ts#run`]: codeOf(`${stage}, edited`) },
    packages: { effect: "4.1.0 sha512-a" }
  }
}

describe("adopting", () => {
  it.effect("makes hits of jobs whose code alone has changed, without running them", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      yield* run(world)
      edit(world, "scale")
      assert.strictEqual(
        yield* states(world),
        "numbers Hit, total Hit, double Miss, triple Miss, table Waits"
      )
      const { adoption, key } = yield* adopted(world, "double")
      assert.deepStrictEqual(adoption.changes, [
        "code of stages/scale.run.ts#run changed (stages/scale.run.ts:3)"
      ])
      yield* adopted(world, "triple")
      world.ran.length = 0
      const { manifests } = yield* run(world)
      assert.deepStrictEqual(world.ran, [])
      const manifest = manifests.double!
      assert.strictEqual(manifest.jobKey, key)
      assert.deepInclude(adoptionOf(manifest), { ...statement, fromKey: adoption.fromKey })
      const ancestors = yield* lineage(manifests.table!.jobKey).pipe(Effect.provide(toyEngine(world)))
      assert.deepStrictEqual(
        [...ancestors.values()].map((one) => one?.job),
        ["table", "double", "triple", "total", "numbers"]
      )
    }).pipe(Effect.provide(memoryStorage))
  )

  it.effect("is refused where params or inputs differ too, nothing differs, or nothing is there", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      const refusal = (job: string, params?: ToyParams) =>
        Effect.map(Effect.flip(adopted(world, job, params)), (error) => error.message)
      assert.match(yield* refusal("numbers"), /^Job "numbers" cannot adopt an earlier result: it never ran/)
      yield* run(world)
      assert.match(yield* refusal("double"), /it is a hit already/)
      edit(world, "scale")
      assert.match(
        yield* refusal("double", { ...toyParams, double: 7 }),
        /more than code differs \(factor 2 → 7\)/
      )
      assert.match(yield* refusal("table"), /it waits for double, triple: adopt those first/)
    }).pipe(Effect.provide(memoryStorage))
  )
})
