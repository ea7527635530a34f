/** Every committed record can be read, lies where it says, and belongs to an experiment. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { experiments } from "./Experiment.ts"
import { readRecords } from "./ExperimentRecord.ts"

const results = join(import.meta.dirname, "results")
const recorded = readdirSync(results, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : []
)

it.each(Object.keys(experiments))("the experiment %s is one, under its own name", async (name) => {
  const { experiment } = await experiments[name]!()
  assert.strictEqual(experiment.name, name)
  assert.isAtLeast(experiment.variants.length, 2)
})

describe.each(recorded)("records of %s", (name) => {
  it("are readable, under the names they give themselves, of variants and seeds that there are", async () => {
    const { experiment } = await experiments[name]!()
    const records = readRecords(name)
    assert.isAbove(records.length, 0)
    const files = readdirSync(join(results, name)).filter((file) => file.endsWith(".json"))
    assert.sameMembers(
      files,
      records.map(({ seed, variant }) => `${variant}-seed${seed}.json`)
    )
    for (const { curves, experiment: of, figures, seed, variant } of records) {
      assert.strictEqual(of, name)
      assert.include(experiment.variants, variant)
      assert.include(experiment.seeds, seed)
      assert.property({ ...curves, ...figures }, experiment.figure)
    }
  })
})
