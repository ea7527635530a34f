import { assert, describe, it } from "@effect/vitest"
import type { Schema } from "effect"
import { paintFor } from "../../../infra/reporting/paint.ts"
import { resultLines } from "../../../infra/reporting/resultLines.ts"
import { manifest } from "./fixtures.ts"

const valueLines = (value: Schema.Json) =>
  resultLines({ manifest: manifest("teacher", "pretrain", "classifier", value), inputs: [] }, paintFor(false))
    .filter((line) => / = /.test(line))
    .map((line) => line.replace(/^value/, "").trim())

describe("the lines of a result", () => {
  it("shows a thousand classes as one line, and what follows them", () => {
    const classes = Array.from({ length: 1000 }, (_, index) => `class ${index}`)
    assert.deepStrictEqual(valueLines({ classes, macs: 7 }), [
      'classes = ["class 0", "class 1", "class 2", …], 1000 in all',
      "macs = 7"
    ])
  })

  it("shows short lists, and lists of records, item by item", () => {
    assert.deepStrictEqual(valueLines({ mean: [0.5, 0.25, 0.125, 1], history: [{ a: 1 }, { a: 2 }] }), [
      "mean[0] = 0.5",
      "mean[1] = 0.25",
      "mean[2] = 0.125",
      "mean[3] = 1",
      "history[0].a = 1",
      "history[1].a = 2"
    ])
  })
})
