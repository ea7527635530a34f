import { assert, describe, it } from "@effect/vitest"
import { type Selection, select } from "../../../lib/workflow/Selection.ts"
import { makeWorld, toyPipeline } from "../../support/toyStages.ts"

/** numbers → total → { double, triple } → table */
const pipeline = toyPipeline(makeWorld())
const names = ["numbers", "total", "double", "triple", "table"]

const chosen = (selection: Selection) => {
  const { jobs, mayRun } = select(pipeline, selection)
  return { selected: names.filter(mayRun).join(" "), planned: jobs.map(({ name }) => name).join(" ") }
}

describe("a selection", () => {
  it.each([
    [{}, "numbers total double triple table", "numbers total double triple table"],
    [{ only: ["double"] }, "double", "numbers total double"],
    [{ from: ["double"] }, "double table", "numbers total double triple table"],
    [{ downstream: ["total"] }, "double triple table", "numbers total double triple table"],
    [{ to: ["double"] }, "numbers total double", "numbers total double"],
    [{ from: ["total"], to: ["triple"] }, "total triple", "numbers total triple"],
    [
      { downstream: ["numbers"], to: ["double", "triple"] },
      "total double triple",
      "numbers total double triple"
    ],
    [{ from: ["triple"], downstream: ["double"] }, "triple table", "numbers total double triple table"],
    [{ only: ["table"], to: ["total"] }, "numbers total table", "numbers total double triple table"]
  ] as const)("%o selects %s", (selection, selected, planned) =>
    assert.deepStrictEqual(chosen(selection), { selected, planned })
  )

  it("forces the named, or all that are selected; without the cache nothing is gone on from either", () => {
    const one = select(pipeline, { force: ["double"] })
    assert.deepStrictEqual([names.filter(one.isForced), names.filter(one.isAfresh)], [["double"], []])
    const all = select(pipeline, { from: ["double"], force: "all" })
    assert.deepStrictEqual(
      [names.filter(all.isForced), names.filter(all.isAfresh)],
      [["double", "table"], []]
    )
    const uncached = select(pipeline, { only: ["total"], noCache: true })
    assert.deepStrictEqual(
      [names.filter(uncached.isForced), names.filter(uncached.isAfresh)],
      [["total"], ["total"]]
    )
  })

  it.each([
    [{ to: ["tabel"] }, /has no job "tabel": did you mean "table"\?/],
    [{ downstream: ["totl"] }, /did you mean "total"\?/],
    [{ downstream: ["table"] }, /no job reads from table/],
    [{ from: ["double"], to: ["triple"] }, /no job lies between double and triple/],
    [{ only: [] }, /names no job/]
  ] as const)("%o is refused", (selection, message) =>
    assert.throws(() => select(pipeline, selection), message)
  )
})
