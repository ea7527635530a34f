/**
 * Files of weights with something wrong, one after the other for ten minutes: each is read or refused by
 * name, in bounded time and memory. `WEIGHTS_FUZZ_MINUTES=1 WEIGHTS_FUZZ_SEED=7` runs others from seed 7.
 */
import { writeSync } from "node:fs"
import { assert, it } from "vitest"
import { RandomStream } from "../../lib/tensor/random.ts"
import { mutatedWeights } from "../support/mutatedWeights.ts"
import { type WeightsOutcome, weightsOutcome } from "../support/weightsOutcome.ts"

const minutes = Number(process.env.WEIGHTS_FUZZ_MINUTES ?? 10)
const seed = Number(process.env.WEIGHTS_FUZZ_SEED ?? 1)

const cpuMillisMax = 1000
const growthMibMax = 256

const peakMib = (): number => process.resourceUsage().maxRSS / 1024

const cpuMillis = (): number => {
  const { system, user } = process.cpuUsage()
  return (user + system) / 1000
}

it(`${minutes} minutes of changed files`, { timeout: (minutes + 5) * 60_000 }, async () => {
  const counts: Record<WeightsOutcome, number> = { read: 0, WeightsFileInvalid: 0, ForbiddenGlobal: 0 }
  const until = performance.now() + minutes * 60_000
  let slowest = { millis: 0, what: "" }
  let numCases = 0
  let atStart = 0
  while (performance.now() < until) {
    const random = RandomStream.make(seed, "case", numCases)
    const { bytes, name } = mutatedWeights(random)
    const what = `seed ${seed}, case ${numCases} (${name}, ${bytes.length} bytes)`
    const begun = cpuMillis()
    counts[await weightsOutcome(what, bytes)] += 1
    const millis = cpuMillis() - begun
    assert.isBelow(millis, cpuMillisMax, what)
    if (millis > slowest.millis) slowest = { millis, what }
    numCases += 1
    // The heap has found its size by then.
    if (numCases === 2000) atStart = peakMib()
  }
  const grown = peakMib() - atStart
  writeSync(
    2,
    `seed ${seed}: ${numCases} files, ${JSON.stringify(counts)}; ` +
      `slowest ${slowest.millis.toFixed(0)} ms CPU (${slowest.what}); ` +
      `peak memory ${peakMib().toFixed(0)} MiB, ${grown.toFixed(0)} since file 2000\n`
  )
  assert.isBelow(grown, growthMibMax)
  // Else nothing was tried.
  for (const count of Object.values(counts)) assert.isAbove(count, numCases / 1000)
})
