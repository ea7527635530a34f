/** `npm test`: the stage on a few images that are rendered, in memory, in this process. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { Pipeline } from "distillery"
import { Ingest } from "distillery/stages/ingest"
import { Preprocess } from "distillery/stages/preprocess"
import { runPipeline } from "distillery/testing"
import { ClassBalance } from "../stages/class-balance.ts"

const images = Ingest({
  params: { source: { _tag: "Scenes", numTrain: 16, numTest: 8, size: 16 } },
  inputs: {}
})
const prepared = Preprocess({
  params: { height: 16, width: 16, channels: 3, validation: 0 },
  inputs: { dataset: images }
})
const balance = ClassBalance({ params: { warnBelow: 3 }, inputs: { dataset: prepared } })

test("counts the images of every class", async () => {
  const pipeline = Pipeline.make("test", "rendered images", { images, prepared, balance })
  const { outputOf, report } = await runPipeline(pipeline)
  const { rows } = outputOf(balance)
  assert.deepEqual(
    rows.map(({ numTest, numTrain }) => [numTrain, numTest]),
    Array.from({ length: 8 }, () => [2, 1])
  )
  assert.ok(rows.every(({ brightness }) => brightness > 0 && brightness < 1))
  const { notes } = report.jobs.find(({ name }) => name === "balance")!
  assert.equal(notes.length, 8)
})
