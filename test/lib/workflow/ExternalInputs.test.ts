import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { digestOf } from "../../../infra/hashing.ts"
import * as Artifact from "../../../lib/workflow/Artifact.ts"
import type { External } from "../../../lib/workflow/ExternalInputs.ts"
import { keyParams } from "../../../lib/workflow/ExternalInputs.ts"
import { JobContext } from "../../../lib/workflow/JobContext.ts"
import * as Pipeline from "../../../lib/workflow/Pipeline.ts"
import * as Plan from "../../../lib/workflow/Plan.ts"
import { Runner } from "../../../lib/workflow/Runner.ts"
import * as Stage from "../../../lib/workflow/Stage.ts"
import { makeWorld, memoryStorage, toyEngine, type World } from "../../support/toyStages.ts"

const Text = Artifact.type("text", Schema.Struct({ text: Schema.String }))
const Params = Schema.Struct({
  source: Schema.Struct({ path: Schema.String, digest: Schema.NullOr(Schema.String) }),
  upper: Schema.Boolean
})
type Params = typeof Params.Type

const lettersOf = ({ source: { digest, path } }: Params): External => ({
  name: "letters",
  kind: "folder",
  path,
  standsFor: ["source.path", "source.digest"],
  ...(digest !== null && { pinned: digestOf(digest) })
})

const pipelineOf = (
  world: World,
  params: Params,
  externals: (params: Params) => ReadonlyArray<External> = (params) => [lettersOf(params)]
) => {
  const read = Stage.make("read", {
    params: Params,
    inputs: {},
    output: Text,
    externals,
    run: () =>
      Promise.resolve({
        run: ({ params }: { readonly params: Params }) =>
          Effect.gen(function* () {
            world.ran.push("read")
            const text = `${world.outside[params.source.path]} ${params.upper}`
            yield* world.before.read ?? Effect.void
            const planned = (yield* JobContext).externals.letters
            assert.isString(planned)
            return { text }
          })
      })
  })
  return Pipeline.make("toy", "reads", { letters: read({ params, inputs: {} }) })
}

const params: Params = { source: { path: "a", digest: null }, upper: false }
const from = (path: string, digest: string | null = null): Params => ({ ...params, source: { path, digest } })

const run = (world: World, given: Params) =>
  Effect.flatMap(Runner, (runner) =>
    runner.run(pipelineOf(world, given), { selection: {}, concurrency: 1 })
  ).pipe(Effect.provide(toyEngine(world)))

const plan = (world: World, given: Params) =>
  Plan.make(pipelineOf(world, given), {}).pipe(Effect.provide(toyEngine(world)))

const reasonFor = (world: World, given: Params) =>
  Effect.map(plan(world, given), ({ jobs: [job] }) =>
    job!.state._tag === "Miss" ? job!.state.reason.text : job!.state._tag
  )

/** A world in which the letters of folder `a` were read once. */
const worldAfterRun = Effect.gen(function* () {
  const world = makeWorld()
  world.outside.a = "abc"
  const { report } = yield* run(world, params)
  assert.strictEqual(report.status, "ok", JSON.stringify(report))
  return world
})

describe("what is read from outside", () => {
  it.effect("misses when its content changes, hits wherever it lies and once it is as it was", () =>
    Effect.gen(function* () {
      const world = yield* worldAfterRun
      assert.strictEqual(yield* reasonFor(world, params), "Hit")
      world.outside.a = "abd"
      assert.strictEqual(yield* reasonFor(world, params), "folder letters changed")
      world.outside.b = "abc"
      assert.strictEqual(yield* reasonFor(world, from("b")), "Hit")
      world.outside.a = "abc"
      assert.strictEqual(yield* reasonFor(world, params), "Hit")
      assert.strictEqual(yield* reasonFor(world, { ...params, upper: true }), "upper false → true")
      assert.deepStrictEqual(world.ran, ["read"])
    }).pipe(Effect.provide(memoryStorage))
  )

  it.effect("stands in the manifest with the place it lay at", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      world.outside.a = "abc"
      const { letters } = (yield* run(world, params)).manifests
      assert.deepStrictEqual(letters!.params, params)
      assert.deepInclude(letters!.externals!.letters, { path: "a", digest: digestOf("abc"), kind: "folder" })
    }).pipe(Effect.provide(memoryStorage))
  )

  it.effect("is not looked at where the params say what it holds", () =>
    Effect.gen(function* () {
      const world = yield* worldAfterRun
      world.outside = {}
      assert.strictEqual(yield* reasonFor(world, from("gone", "abc")), "Hit")
      assert.strictEqual(yield* reasonFor(world, from("gone", "abd")), "folder letters changed")
    }).pipe(Effect.provide(memoryStorage))
  )

  it.effect(
    "fails the plan, named, where it cannot be read: even before a hit nobody could tell from it",
    () =>
      Effect.gen(function* () {
        const world = yield* worldAfterRun
        const error = yield* Effect.flip(plan(world, from("nowhere")))
        assert.strictEqual(error._tag, "ExternalUnreadable")
        for (const word of ['"letters"', '"nowhere"', "does not exist"]) assert.include(error.message, word)
      }).pipe(Effect.provide(memoryStorage))
  )

  it.effect("fails the job where it changed or vanished while the job ran, and nothing is kept", () =>
    Effect.gen(function* () {
      const edits = [(world: World) => (world.outside.a = "new"), (world: World) => delete world.outside.a]
      for (const edit of edits) {
        const world = makeWorld()
        world.outside.a = "abc"
        world.before.read = Effect.sync(() => void edit(world))
        const [job] = (yield* run(world, params)).report.jobs
        assert.strictEqual(job!.error?.tag, "ExternalChanged")
        assert.include(job!.error!.message, 'folder "a" was changed while job "letters"')
        world.outside.a = "abc"
        assert.strictEqual(yield* reasonFor(world, params), "never ran")
      }
    }).pipe(Effect.provide(memoryStorage))
  )

  it.effect("has names of its own", () =>
    Effect.gen(function* () {
      const world = makeWorld()
      world.outside.a = "abc"
      const twice = pipelineOf(world, params, (given) => [lettersOf(given), lettersOf(given)])
      const error = yield* Effect.flip(Plan.make(twice, {}).pipe(Effect.provide(toyEngine(world))))
      assert.include(error.message, 'two external inputs called "letters"')
    }).pipe(Effect.provide(memoryStorage))
  )
})

it("params without the leaves that a digest stands for", () => {
  const record = { kind: "file", path: "", digest: digestOf(""), pinned: false } as const
  const without = (...standsFor: ReadonlyArray<string>) =>
    keyParams({ a: { b: 1, c: [2] }, d: null }, { one: { ...record, standsFor } })
  assert.deepStrictEqual(without(), { a: { b: 1, c: [2] }, d: null })
  assert.deepStrictEqual(without("a.b", "d"), { a: { c: [2] } })
  assert.deepStrictEqual(without("a"), { d: null })
  assert.deepStrictEqual(without("d.x", "e", "a.c.0", "e.f"), { a: { b: 1, c: [2] }, d: null })
})
