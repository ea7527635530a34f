import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { parseLabelNames } from "../../../lib/models/label-names.ts"

describe("label names", () => {
  it.effect.each([
    ["lines", "cat\ngreat grey owl\r\ncrane\ncrane\n", ["cat", "great grey owl", "crane", "crane"]],
    ["a list", '["cat", "dog"]', ["cat", "dog"]],
    ["an object, whatever its order", '{ "1": "dog", "0": "cat" }', ["cat", "dog"]],
    [
      "Keras's identifiers and names",
      '{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}',
      ["tench", "goldfish"]
    ]
  ] as const)("are read from %s", ([, text, names]) =>
    Effect.map(parseLabelNames("labels", text), (read) => assert.deepStrictEqual(read, names))
  )

  it.effect.each([
    ["cat\n\ndog\n", /"labels.txt" cannot be read: line 2 is empty\. Give one name a line/],
    ["", /line 1 is empty/],
    ["[1, 2]", /neither a list nor an object of names/],
    ['["cat"', /neither a list nor an object of names/],
    ['["cat", ""]', /neither a list nor an object of names/],
    ['{"0": "cat", "2": "dog"}', /its 2 keys should be 0 to 1, and 1 is missing/],
    ['{"cat": "0", "dog": "1"}', /its 2 keys should be 0 to 1, and 0 is missing/]
  ] as const)("are refused with the reason: %s", ([text, message]) =>
    Effect.map(Effect.flip(parseLabelNames("labels.txt", text)), (error) =>
      assert.match(error.message, message)
    )
  )
})
