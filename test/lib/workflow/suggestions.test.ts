import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { editDistance, nearest, suggestion } from "../../../lib/workflow/suggestions.ts"

describe("editDistance", () => {
  it.each([
    ["", "", 0],
    ["kitten", "sitting", 3],
    ["student", "studnet", 1],
    ["run", "rnu", 1],
    ["ca", "abc", 3],
    ["", "abc", 3]
  ] as const)("%s → %s is %i", (from, to, distance) => {
    assert.strictEqual(editDistance(from, to), distance)
  })

  it.prop("is symmetric and 0 only between equals", { a: Schema.String, b: Schema.String }, ({ a, b }) => {
    assert.strictEqual(editDistance(a, b), editDistance(b, a))
    assert.strictEqual(editDistance(a, b) === 0, a === b)
  })
})

describe("nearest", () => {
  const known = ["teacher", "student", "student-alone", "report"]
  it.each([
    ["studnet", "student"],
    ["teachr", "teacher"],
    ["alone", "student-alone"],
    ["xyz", undefined]
  ])("%s → %s", (name, expected) => {
    assert.strictEqual(nearest(name, known), expected)
  })

  it("lists all where none is near", () => {
    assert.strictEqual(suggestion("xyz", known), "there are teacher, student, student-alone, report")
  })
})
