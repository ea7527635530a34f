/**
 * Publishers, readers and adopters race two sweeps on a real server, round after round: nothing that somebody
 * needs is ever lost. `SWEEP_ROUNDS=100 SWEEP_SEED=7` runs others than 60 rounds from seed 1.
 */
import { readdirSync, statSync, utimesSync, writeSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { hasherLayer } from "../../infra/hashing.ts"
import { ownerLivenessLayer } from "../../infra/ownerLiveness.ts"
import { s3ObjectStoreLayer } from "../../infra/stores/S3ObjectStore.ts"
import { blobStoreLayer } from "../../lib/storage/blobs.ts"
import type { Manifest } from "../../lib/workflow/Manifest.ts"
import { ManifestStore, manifestStoreLayer } from "../../lib/workflow/ManifestStore.ts"
import { testSigning } from "../support/signing.ts"
import {
  adopter,
  collected,
  published,
  publisher,
  type Result,
  readable,
  reader
} from "../support/sweepUsers.ts"
import { startVersitygw, versitygwMissing } from "../support/versitygw.ts"

const server = versitygwMissing ? undefined : await startVersitygw()
const numRounds = Number(process.env.SWEEP_ROUNDS ?? 60)
const firstSeed = Number(process.env.SWEEP_SEED ?? 1)

/** As old results are in each round; each is what one of each kind of user comes to need. */
const numOld = 6

const chance = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state * 48271) % 2147483647
    return state % below
  }
}

/** A client of its own for each that uses the store. */
const engine = (round: string) =>
  Layer.suspend(() => {
    Object.assign(process.env, server!.environment)
    const place = { kind: "s3", bucket: server!.bucket, prefix: round } as const
    return manifestStoreLayer.pipe(
      Layer.provideMerge(blobStoreLayer),
      Layer.provideMerge(s3ObjectStoreLayer({ place, checked: false })),
      Layer.provideMerge(Layer.mergeAll(testSigning, hasherLayer, ownerLivenessLayer))
    )
  })

/** As if the objects had been written a month ago. */
const age = (round: string): void => {
  const then = new Date(Date.now() - 30 * 86_400_000)
  const folder = join(server!.folder, round)
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (statSync(join(folder, name)).isFile()) utimesSync(join(folder, name), then, then)
  }
}

/** Each for itself; what it has made, if it makes something. Whatever fails is a loss. */
const users = (
  round: string,
  old: Result,
  index: number
): ReadonlyArray<Effect.Effect<Manifest | undefined>> => {
  const layer = engine(round)
  return [
    Effect.orDie(Effect.provide(reader(old, Effect.sleep(50)), layer)),
    Effect.orDie(Effect.provide(publisher(old, { another: index }), Layer.fresh(layer))),
    Effect.orDie(Effect.provide(adopter(old, { adopted: index }), Layer.fresh(layer)))
  ]
}

const roundOf = Effect.fnUntraced(function* (seed: number) {
  const round = `round-${seed}`
  const below = chance(seed)
  const olds = yield* Effect.provide(
    Effect.forEach(Array.from({ length: numOld }), (_, index) => published(`old ${index}`, { of: index })),
    engine(round)
  )
  yield* Effect.provide(published("latest", { of: "latest" }), engine(round))
  age(round)
  const after = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.andThen(Effect.sleep(below(400)), effect)
  const using = olds.flatMap((old, index) =>
    users(round, old, index)
      .filter(() => below(3) > 0)
      .map((act) => Effect.map(after(act), (made) => ({ old, made })))
  )
  const sweeping = after(Effect.provide(collected(below(2) * 86_400_000), engine(round))).pipe(
    Effect.map(({ removed, numRestored }) => ({ numSwept: removed.length, numRestored })),
    Effect.catchTag("SweepUnderWay", () => Effect.succeed({ numSwept: 0, numRestored: 0 }))
  )
  const [used, swept] = yield* Effect.all(
    [
      Effect.all(using, { concurrency: "unbounded" }),
      Effect.all([sweeping, sweeping], { concurrency: "unbounded" })
    ],
    { concurrency: "unbounded" }
  )
  yield* Effect.forEach(
    used,
    Effect.fnUntraced(function* ({ made, old }) {
      if (made === undefined) return
      assert.strictEqual((yield* (yield* ManifestStore).find(made.jobKey))._tag, "Found", round)
      assert.strictEqual(yield* readable(old), old.text, round)
    })
  ).pipe(Effect.provide(engine(round)))
  return {
    numMade: used.filter(({ made }) => made !== undefined).length,
    numUsers: used.length,
    numSwept: swept.reduce((sum, one) => sum + one.numSwept, 0),
    numRestored: swept.reduce((sum, one) => sum + one.numRestored, 0)
  }
})

describe.skipIf(server === undefined)("sweeps on versitygw", () => {
  it.live(
    "take nothing that somebody needs",
    () =>
      Effect.gen(function* () {
        const totals = { numMade: 0, numUsers: 0, numSwept: 0, numRestored: 0 }
        for (let seed = firstSeed; seed < firstSeed + numRounds; seed++) {
          const one = yield* roundOf(seed)
          for (const name of Object.keys(totals) as Array<keyof typeof totals>) totals[name] += one[name]
        }
        writeSync(2, `${numRounds} rounds: ${JSON.stringify(totals)}\n`)
        // Else nothing was raced.
        assert.isAbove(totals.numSwept, numRounds)
        assert.isAbove(totals.numMade, numRounds)
        assert.isAbove(totals.numRestored, 0)
      }),
    1_800_000
  )
})
