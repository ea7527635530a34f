/**
 * The whole chain on S3 under seeded schedules of faults: the same digests, no wrong byte, no upload left.
 * `FAULT_SEEDS=first-last` runs others than 1 to 50.
 */
import { writeSync } from "node:fs"
import { assert, beforeAll, describe, it } from "vitest"
import { themes } from "../support/faultSchedule.ts"
import { type Chain, makeChain, type Place, surviveFaults } from "../support/faultyChain.ts"
import { startFaultyProxy } from "../support/faultyProxy.ts"
import { minioMissing, startMinio } from "../support/minio.ts"
import type { S3TestServer } from "../support/s3Process.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { startVersitygw, versitygwMissing } from "../support/versitygw.ts"

const placeOn = async (server: S3TestServer): Promise<Place> => ({
  server,
  proxy: await startFaultyProxy(server.url),
  folder: temporaryFolder()
})
/** Runs mostly wait, for a wire that breaks, so some go on side by side. */
const placesOf = async (start: () => Promise<S3TestServer>, num: number): Promise<ReadonlyArray<Place>> => {
  const places: Array<Place> = []
  while (places.length < num) places.push(await placeOn(await start()))
  return places
}

const onVersitygw = await placesOf(startVersitygw, versitygwMissing ? 0 : 6)
const onMinio = await placesOf(startMinio, minioMissing ? 0 : 3)

const [firstSeed = 1, lastSeed = 50] = (process.env.FAULT_SEEDS ?? "1-50").split("-").map(Number)

let chain: Chain
beforeAll(async () => {
  chain = await makeChain()
}, 300_000)

/** Every seed once, at each place one after the other; those that did not end as they should. */
const surviveAll = async (places: ReadonlyArray<Place>, seeds: ReadonlyArray<number>): Promise<void> => {
  const left = [...seeds]
  const failures: Array<string> = []
  const work = async (place: Place): Promise<void> => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      const theme = themes[seed % themes.length]!
      const options = { seed, theme, numStallsMax: 2, outageMillis: 60_000 }
      const line = await surviveFaults(chain, place, options).catch((error: Error) => {
        failures.push(error.message)
        return `FAILED ${error.message}`
      })
      writeSync(1, `${line}\n`)
    }
  }
  await Promise.all(places.map(work))
  assert.deepStrictEqual(failures, [])
}

const seeds = Array.from({ length: lastSeed - firstSeed + 1 }, (_, index) => firstSeed + index)

describe("the chain under faults", () => {
  it.skipIf(versitygwMissing)("on versitygw", () => surviveAll(onVersitygw, seeds), 3_600_000)
  it.skipIf(minioMissing)(
    "on MinIO, each kind of fault",
    () => surviveAll(onMinio, seeds.slice(0, themes.length)),
    3_600_000
  )
})
