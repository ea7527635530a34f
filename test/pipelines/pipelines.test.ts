/** Every pipeline of the list can be built, says what it is for, and has the jobs that users count on. */
import { assert, describe, it } from "vitest"
import { dependenciesOf, type Pipeline } from "../../lib/workflow/Pipeline.ts"
import { pipelines } from "../../pipelines/index.ts"

describe.each(Object.entries(pipelines))("%s", (name, load) => {
  it("builds, under its own name, with a description", async () => {
    const { pipeline } = await load()
    assert.strictEqual(pipeline.name, name)
    assert.isAbove(pipeline.description.length, 20)
    assert.isAbove(pipeline.jobs.length, 0)
  })

  it("evaluates every model that it trains", async () => {
    const { pipeline } = await load()
    const trained = pipeline.jobs
      .filter(({ ref }) => ["classifier", "detector", "segmenter"].includes(ref.type.name))
      .map((job) => job.name)
    const evaluated = pipeline.jobs
      .filter(({ ref }) => ref.type.name.startsWith("evaluation/"))
      .map(({ inputs }) => inputs.model)
    assert.sameMembers(evaluated, trained)
  })
})

/** The jobs that would have another key if this param were another, by the digests of what they read. */
const affectedBy = (pipeline: Pipeline, job: string): ReadonlyArray<string> => {
  const affected: Array<string> = []
  for (const next of pipeline.jobs) {
    const reads = dependenciesOf(next).some((name) => affected.includes(name))
    if (next.name === job || reads) affected.push(next.name)
  }
  return affected
}

describe("quickstart is one graph", () => {
  it("another segmenter reaches its evaluation and the report alone", async () => {
    const { pipeline } = await pipelines.quickstart!()
    assert.sameMembers([...affectedBy(pipeline, "segmenter")], ["segmenter", "evaluate-segmenter", "report"])
  })

  it("another student reaches both transfers and all that follows, and not its teacher", async () => {
    const { pipeline } = await pipelines.quickstart!()
    const models = ["student", "detector", "segmenter"]
    assert.sameMembers(
      [...affectedBy(pipeline, "student")],
      [...models, ...models.map((model) => `evaluate-${model}`), "report"]
    )
  })
})

it("fashion-mnist has the jobs by the names that reports and scripts use", async () => {
  const { pipeline } = await pipelines["fashion-mnist"]!()
  const names = pipeline.jobs.map((job) => job.name)
  assert.includeMembers(names, ["teacher", "student", "student-alone", "report"])
})

it.each([
  ["detection-bccd", "detector"],
  ["segmentation-camvid", "segmenter"]
])("%s has the job %s that scripts read the metrics of", async (name, job) => {
  const { pipeline } = await pipelines[name]!()
  assert.include(
    pipeline.jobs.map((one) => one.name),
    job
  )
})
