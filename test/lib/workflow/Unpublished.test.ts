/** Goal: a result is not lost where its store is away. Method: a store that refuses manifests for a while. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { unpublishedFilesLayer } from "../../../infra/stores/unpublishedFiles.ts"
import { ObjectStore, StoreUnavailable } from "../../../lib/storage/ObjectStore.ts"
import { Runner, type RunOptions, type RunOutcome } from "../../../lib/workflow/Runner.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { makeWorld, memoryStorage, toyEngine, toyPipeline, type World } from "../../support/toyStages.ts"

const store = "s3://bucket/prefix"

/** What keys with this in them are done to fails, in turn. */
let away: string | undefined

const awayStorage = Layer.provideMerge(
  Layer.effect(
    ObjectStore,
    Effect.map(ObjectStore, (store): ObjectStore["Service"] => {
      const unlessAway =
        <A, E>(run: (key: string) => Effect.Effect<A, E>) =>
        (key: string) =>
          away !== undefined && key.includes(away)
            ? Effect.fail(new StoreUnavailable({ operation: "write", key, reason: "it is away." }))
            : run(key)
      return { ...store, put: (key, ...rest) => unlessAway((same) => store.put(same, ...rest))(key) }
    })
  ),
  memoryStorage
)

const run = (
  world: World,
  folder: string,
  more: Partial<RunOptions> = {}
): Effect.Effect<RunOutcome, unknown, Layer.Success<typeof memoryStorage>> =>
  Effect.flatMap(Runner, (runner) =>
    runner.run(toyPipeline(world), { selection: {}, concurrency: 1, ...more })
  ).pipe(Effect.provide(Layer.provide(toyEngine(world), unpublishedFilesLayer(folder, store))))

const states = ({ report }: RunOutcome) => report.jobs.map((job) => `${job.name} ${job.state}`).join(", ")

const onStorage = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof memoryStorage>>) =>
  Effect.provide(effect, Layer.fresh(awayStorage))

/** A run whose first result cannot be published. */
const unpublishedRun = Effect.fnUntraced(function* (folder: string) {
  const world = makeWorld()
  away = "manifests/"
  const outcome = yield* run(world, folder)
  away = undefined
  assert.deepStrictEqual(world.ran, ["numbers"])
  return outcome.report.jobs[0]!.error
})

describe("a store that is away while a result is published", () => {
  it.effect("fails the job, and the next run publishes the result without computing it", () =>
    onStorage(
      Effect.gen(function* () {
        const folder = temporaryFolder()
        const error = yield* unpublishedRun(folder)
        assert.strictEqual(error?.tag, "ResultUnpublished")
        assert.match(
          error?.message ?? "",
          /is made, but was not published.*it is away\. It is kept.*next run/
        )
        const world = makeWorld()
        const outcome = yield* run(world, folder)
        assert.strictEqual(states(outcome), "numbers hit, total ran, double ran, triple ran, table ran")
        assert.deepStrictEqual(outcome.report.jobs[0]!.notes, [
          "made by an earlier run that the store was away for, and published now"
        ])
        assert.notInclude(world.ran, "numbers")
        const again = yield* run(makeWorld(), folder)
        assert.strictEqual(states(again), "numbers hit, total hit, double hit, triple hit, table hit")
        assert.deepStrictEqual(again.report.jobs[0]!.notes, [])
      })
    )
  )

  it.effect("what was kept is not taken where its blobs are gone, nor by a forced run", () =>
    onStorage(
      Effect.gen(function* () {
        const folder = temporaryFolder()
        yield* unpublishedRun(folder)
        const forced = makeWorld()
        yield* run(forced, folder, { selection: { only: ["numbers"], force: ["numbers"] } })
        assert.deepStrictEqual(forced.ran, ["numbers"])
      })
    ).pipe(
      Effect.andThen(
        Effect.gen(function* () {
          const folder = temporaryFolder()
          yield* onStorage(unpublishedRun(folder))
          // Another store, which has none of the blobs.
          const world = makeWorld()
          const outcome = yield* onStorage(run(world, folder, { selection: { only: ["numbers"] } }))
          assert.deepStrictEqual([states(outcome), world.ran], ["numbers ran", ["numbers"]])
        })
      )
    )
  )
})
