import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { leavesOf } from "../../../lib/workflow/Explain.ts"

describe("leavesOf", () => {
  it("names every scalar and every empty branch by its path", () => {
    assert.deepStrictEqual(leavesOf({ a: { b: [1, { c: "x" }] }, d: [], e: {}, f: null }), {
      "a.b[0]": "1",
      "a.b[1].c": '"x"',
      d: "[]",
      e: "{}",
      f: "null"
    })
  })

  it.prop(
    "one leaf changed is one path changed",
    { value: Schema.Record(Schema.Literals(["a", "b"]), Schema.Int) },
    (drawn) => {
      const before = leavesOf(drawn.value)
      const after = leavesOf({ ...drawn.value, b: drawn.value.b + 1 })
      assert.deepStrictEqual(
        Object.keys(after).filter((path) => after[path] !== before[path]),
        ["b"]
      )
    }
  )
})
