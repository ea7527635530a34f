import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { jsonValue } from "../../../lib/storage/jsonValue.ts"

const Key = Schema.Union([
  Schema.String,
  Schema.Literals(['"', "\\", "/", "\n", "\t", "\0", "~", "~~", '"\n', ":"])
])
const Value = Schema.Record(
  Key,
  Schema.Union([Schema.String, Key, Schema.Array(Key), Schema.Record(Key, Key)])
)

describe("jsonValue", () => {
  it("reads keys of one escaped character after a key that is a backslash", () => {
    // `JSON.parse` gives '{"h":1,"\\\\":2}' here.
    jsonValue('{"h":[],"\\\\":0}')
    assert.deepStrictEqual(jsonValue('{"h":1,"\\"":2}'), { h: 1, '"': 2 })
    assert.deepStrictEqual(jsonValue('{"h":1,"\\u0000" : 2}'), { h: 1, "\0": 2 })
  })

  it.prop("reads what is written, indented or not", [Value], ([value]) => {
    assert.deepStrictEqual(jsonValue(JSON.stringify(value)), value)
    assert.deepStrictEqual(jsonValue(JSON.stringify([value], null, 1)), [value])
  })

  it("refuses what is no JSON", () => {
    for (const text of ["", "{", '{"\\n":}', '"\\n":']) assert.throws(() => jsonValue(text), SyntaxError)
  })
})
