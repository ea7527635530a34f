import { assert, describe, it } from "@effect/vitest"
import { parseSplitList } from "../../../../lib/data/formats/split-list.ts"

describe("lists of a split", () => {
  it.each([
    ["a\nb\n", [["a"], ["b"]]],
    ["a\r\nb", [["a"], ["b"]]],
    [
      "\uFEFFa  1\nb -1\n",
      [
        ["a", "1"],
        ["b", "-1"]
      ]
    ],
    ["\n  \n x.png\tmask/x.png \r\n\r\n", [["x.png", "mask/x.png"]]],
    ["", []],
    [" \n", []]
  ])("%j", (text, lines) => assert.deepStrictEqual(parseSplitList(text), lines))
})
