/** Every pipeline of the list can be built, says what it is for, and has the jobs that users count on. */
import { assert, describe, it } from "vitest"
import { pipelines } from "../../pipelines/index.ts"

describe.each(Object.entries(pipelines))("%s", (name, load) => {
  it("builds, under its own name, with a description", async () => {
    const { pipeline } = await load()
    assert.strictEqual(pipeline.name, name)
    assert.isAbove(pipeline.description.length, 20)
    assert.isAbove(pipeline.jobs.length, 0)
  })

  it("evaluates every classifier that it trains", async () => {
    const { pipeline } = await load()
    const trained = pipeline.jobs.filter(({ ref }) => ref.type.name === "classifier").map((job) => job.name)
    const evaluated = pipeline.jobs
      .filter(({ ref }) => ref.type.name === "evaluation")
      .map(({ inputs }) => inputs.model)
    assert.sameMembers(evaluated, trained)
  })
})

it("fashion-mnist has the jobs by the names that reports and scripts use", async () => {
  const { pipeline } = await pipelines["fashion-mnist"]!()
  const names = pipeline.jobs.map((job) => job.name)
  assert.includeMembers(names, ["teacher", "student", "student-alone", "report"])
})
