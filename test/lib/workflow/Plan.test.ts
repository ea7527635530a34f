/** What a plan says: hits, misses with the reason old → new, what waits; and what it refuses. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { blobKey } from "../../../lib/storage/blobs.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../../lib/storage/Signature.ts"
import * as Plan from "../../../lib/workflow/Plan.ts"
import { Runner } from "../../../lib/workflow/Runner.ts"
import type { Selection } from "../../../lib/workflow/Selection.ts"
import { manifestKey } from "../../../lib/workflow/SignedManifest.ts"
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

const run = (world: World, selection: Selection = {}, params: ToyParams = toyParams) =>
  Effect.gen(function* () {
    return yield* (yield* Runner).run(toyPipeline(world, params), { selection, concurrency: 2 })
  }).pipe(Effect.provide(toyEngine(world)))

const plan = (world: World, selection: Selection = {}, params: ToyParams = toyParams) =>
  Plan.make(toyPipeline(world, params), selection).pipe(Effect.provide(toyEngine(world)))

const said = ({ jobs }: Plan.Plan): ReadonlyArray<string> =>
  jobs.map(({ name, state }) => {
    if (state._tag === "Hit") return `${name}: hit`
    return state._tag === "Miss"
      ? `${name}: ${state.reason.text}`
      : `${name}: waits for ${state.on.join(", ")}`
  })

const scaleCode = (text: string, effect: string) => ({
  declarations: {
    "lib/losses/distillation.ts#distillationLoss": codeOf(text),
    "stages/scale.run.ts#run": codeOf("same")
  },
  packages: { effect }
})

interface ReasonCase {
  readonly edit: string
  readonly params?: Partial<ToyParams>
  readonly change?: (world: World) => void
  readonly reason: string
}
const reasons: ReadonlyArray<ReasonCase> = [
  { edit: "a param", params: { double: 8 }, reason: "factor 2 → 8" },
  { edit: "a param that is new", params: { precision: "bfloat16" }, reason: 'precision added ("bfloat16")' },
  {
    edit: "a declaration",
    change: (world) => {
      world.code.scale = scaleCode("edited", "4.1.0 sha512-a")
    },
    reason: "code of lib/losses/distillation.ts#distillationLoss changed (lib/losses/distillation.ts:3)"
  },
  {
    edit: "a package",
    change: (world) => {
      world.code.scale = scaleCode("first", "4.1.1 sha512-b")
    },
    reason: "package effect 4.1.0 → 4.1.1"
  },
  {
    edit: "a param and the code",
    params: { double: 8 },
    change: (world) => {
      world.code.scale = scaleCode("edited", "4.1.0 sha512-a")
    },
    reason:
      "factor 2 → 8, code of lib/losses/distillation.ts#distillationLoss changed " +
      "(lib/losses/distillation.ts:3)"
  }
]

describe("reasons of a miss", () => {
  it.effect("a first plan: never ran, and what waits for it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(said(yield* plan(makeWorld())), [
        "numbers: never ran",
        "total: waits for numbers",
        "double: waits for total",
        "triple: waits for total",
        "table: waits for double, triple"
      ])
    }).pipe(Effect.provide(memoryStorage))
  )

  it.effect.each(reasons)("$edit: $reason", ({ params, change, reason }) =>
    Effect.gen(function* () {
      const world = makeWorld()
      world.code.scale = scaleCode("first", "4.1.0 sha512-a")
      yield* run(world)
      change?.(world)
      const planned = yield* plan(world, {}, { ...toyParams, ...params })
      assert.include(said(planned), `double: ${reason}`)
      assert.deepStrictEqual(said(planned).slice(0, 2), ["numbers: hit", "total: hit"])
      assert.include(said(planned).at(-1)!, "table: waits for double")
    }).pipe(Effect.provide(memoryStorage))
  )

  it.effect("the nearest of several earlier runs is compared with", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      world.code.scale = scaleCode("first", "4.1.0 sha512-a")
      yield* run(world)
      world.code.scale = scaleCode("second", "4.1.1 sha512-b")
      yield* run(world, {}, { ...toyParams, double: 5 })
      world.code.scale = scaleCode("first", "4.1.0 sha512-a")
      assert.include(said(yield* plan(world, {}, { ...toyParams, double: 5 })), "double: factor 2 → 5")
    }).pipe(Effect.provide(memoryStorage))
  )

  it.effect("an input, once it is known", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      yield* run(world)
      const params = { ...toyParams, values: [5] }
      yield* run(world, { only: ["numbers", "total"] }, params)
      const planned = said(yield* plan(world, {}, params))
      assert.deepStrictEqual(planned.slice(0, 3), [
        "numbers: hit",
        "total: hit",
        "double: input total changed"
      ])
    }).pipe(Effect.provide(memoryStorage))
  )

  it.effect("forced, a missing blob, a changed manifest, a lost one", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      const { manifests } = yield* run(world)
      const store = yield* ObjectStore
      assert.include(said(yield* plan(world, { force: ["total"] })), "total: forced")
      const double = manifestKey({ scope: mainScope, key: manifests.double!.jobKey })
      const text = new TextDecoder().decode(yield* store.get(double))
      yield* store.put(double, new TextEncoder().encode(text.replace('"value": 12', '"value": 13')))
      assert.include(said(yield* plan(world)), "double: its manifest was changed after it was signed")
      yield* store.remove(double)
      assert.include(said(yield* plan(world)), "double: never ran")
      const { values } = manifests.numbers!.output.value as never as { values: { blob: never } }
      yield* store.remove(blobKey(values.blob))
      assert.include(said(yield* plan(world))[0]!, `numbers: blob ${values.blob} is missing or damaged`)
    }).pipe(Effect.provide(memoryStorage))
  )
})

describe("selection", () => {
  const failure = (selection: Selection, params: ToyParams = toyParams) =>
    Effect.gen(function* () {
      const world = makeWorld()
      yield* run(world)
      return yield* Effect.flip(plan(world, selection, params))
    }).pipe(Effect.provide(memoryStorage))

  it.effect("only: the named job may run, what it reads must be there", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      const missing = yield* Effect.flip(plan(world, { only: ["double"] }))
      assert.strictEqual(missing._tag, "UpstreamMissing")
      assert.match(
        missing.message,
        /"double" needs .*"numbers" \(never ran\), "total" .*Run numbers,total first/
      )
      yield* run(world, { only: ["numbers", "total"] })
      const planned = yield* plan(world, { only: ["double"] })
      assert.deepStrictEqual(said(planned), ["numbers: hit", "total: hit", "double: never ran"])
      assert.deepStrictEqual(
        Plan.pendingJobs(planned).map((job) => job.name),
        ["double"]
      )
    }).pipe(Effect.provide(memoryStorage))
  )

  it.effect("from: the named job and all that reads from it", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      yield* run(world)
      const planned = yield* plan(world, { from: ["double"] }, { ...toyParams, double: 7 })
      assert.deepStrictEqual(
        planned.jobs.filter((job) => job.selected).map((job) => job.name),
        ["double", "table"]
      )
      const missing = yield* Effect.flip(plan(world, { from: ["double"] }, { ...toyParams, triple: 7 }))
      assert.match(missing.message, /"table" needs the results of "triple" \(factor 3 → 7\)/)
    }).pipe(Effect.provide(memoryStorage))
  )

  it.effect.each([
    [{ only: ["tabel"] }, /pipeline "toy" has no job "tabel": did you mean "table"\?/],
    [{ from: ["xyz"] }, /there are numbers, total, double, triple, table/],
    [{ force: ["tripel"] }, /did you mean "triple"\?/],
    [{ only: ["double"], force: ["total"] }, /"total" is not among the selected ones \(double\)/]
  ] as const)("%o is refused", ([selection, message]) =>
    Effect.gen(function* () {
      const error = yield* failure(selection)
      assert.strictEqual(error._tag, "DefinitionError")
      assert.match(error.message, message)
    })
  )
})

describe("what fails while planning", () => {
  it.effect("a param that asks for what the machine cannot do, if its job would run", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      const params = { ...toyParams, precision: "bfloat16" }
      yield* run(world, {}, params)
      world.refused.bfloat16 = "the backend is wasm; set precision to float32"
      yield* plan(world, {}, params)
      const error = yield* Effect.flip(plan(world, {}, { ...params, double: 9 }))
      assert.strictEqual(error._tag, "CapabilityRefused")
      assert.match(
        error.message,
        /"double" asks for bfloat16 \(precision = "bfloat16"\).*set precision to float32/
      )
    }).pipe(Effect.provide(memoryStorage))
  )

  it.effect("a plan writes nothing", () =>
    Effect.gen(function* () {
      yield* plan(makeWorld())
      assert.deepStrictEqual(yield* Stream.runCollect((yield* ObjectStore).list("")), [])
    }).pipe(Effect.provide(memoryStorage))
  )
})
