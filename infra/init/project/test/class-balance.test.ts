/** `npm test`: the stage on a few images that are rendered, in memory, in this process. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { Pipeline } from "distillery"
import { Ingest } from "distillery/stages/ingest"
import { Preprocess } from "distillery/stages/preprocess"
import { runPipeline, runStage } from "distillery/testing"
import { ClassBalance } from "../stages/class-balance.ts"

const images = Ingest({
  params: { source: { _tag: "Scenes", numTrain: 16, numTest: 8, size: 16 } },
  inputs: {}
})
const prepared = Preprocess({
  params: { height: 16, width: 16, channels: 3, validation: 0 },
  inputs: { dataset: images }
})

test("counts the images of every class", async () => {
  const pipeline = Pipeline.make("rendered", "images for a test", { images, prepared })
  const { outputOf, store } = await runPipeline(pipeline)
  const dataset = outputOf(prepared)
  const { notes, value } = await runStage(ClassBalance, {
    params: { warnBelow: 3 },
    inputs: { dataset },
    store
  })
  assert.deepEqual(
    value.rows.map(({ name, numTest, numTrain }) => [name, numTrain, numTest]),
    dataset.classes.map((name) => [name, 2, 1])
  )
  assert.ok(value.rows.every(({ brightness }) => brightness > 0 && brightness < 1))
  assert.equal(notes.length, dataset.classes.length)
})
