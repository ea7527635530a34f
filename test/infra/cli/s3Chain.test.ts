/** The whole chain on S3 under a seeded schedule of each of five faults; the soak `s3-faults` does fifty. */
import { beforeAll, describe, it } from "vitest"
import type { Theme } from "../../support/faultSchedule.ts"
import { type Chain, makeChain, type Place, surviveFaults } from "../../support/faultyChain.ts"
import { startFaultyProxy } from "../../support/faultyProxy.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"

const placeOn = async (): Promise<Place> => {
  const server = await startVersitygw()
  return { server, proxy: await startFaultyProxy(server.url), folder: temporaryFolder() }
}

const schedules: ReadonlyArray<Theme> = ["storm", "cut", "flip", "lost", "server killed in an upload"]
/** Servers of their own: they run side by side, as much of their time is waiting. */
const places = versitygwMissing ? [] : await Promise.all(schedules.map(placeOn))

describe.skipIf(versitygwMissing)(`the chain on S3${skipNote}`, () => {
  let chain: Chain
  beforeAll(async () => {
    chain = await makeChain()
  }, 120_000)

  it.concurrent.each(schedules.map((theme, seed) => ({ theme, seed })))(
    "under faults, foremost $theme: the same digests, no wrong byte, no upload left",
    async ({ seed, theme }) => {
      await surviveFaults(chain, places[seed]!, { seed, theme, numStallsMax: 0, outageMillis: 0 })
    },
    240_000
  )
})
