import { assert, describe, it } from "@effect/vitest"
import { fontRows, forEachDot, textColumns } from "../../../lib/charts/pixel-font.ts"

const dotsOf = (text: string): ReadonlyArray<string> => {
  const dots: Array<string> = []
  forEachDot(text, (row, column) => dots.push(`${row},${column}`))
  return dots
}
const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index))

describe("the pixel font", () => {
  it("has every printable character, each its own", () => {
    const drawn = printable.map((character) => dotsOf(character).join(" "))
    assert.strictEqual(new Set(drawn).size, 95)
    assert.deepStrictEqual(
      drawn.filter((dots) => dots === ""),
      [""]
    )
  })

  it("keeps a text within its rows and columns, up to the last one", () => {
    for (const text of [...printable, "Typography, 97%", "jgpqy"]) {
      const places = dotsOf(text).map((dot) => dot.split(",").map(Number) as [number, number])
      for (const [row, column] of places) {
        assert.isTrue(row < fontRows && column < textColumns(text), text)
      }
      if (text.trim() !== "")
        assert.include(
          places.map(([, column]) => column),
          textColumns(text) - 1,
          text
        )
    }
  })

  it("sets letters side by side with a column between them", () => {
    assert.strictEqual(textColumns("ab"), textColumns("a") + 1 + textColumns("b"))
    assert.lengthOf(dotsOf("ab"), dotsOf("a").length + dotsOf("b").length)
  })

  it("draws letters with accents without them, and what it has not as a question mark", () => {
    assert.deepStrictEqual(dotsOf("é"), dotsOf("e"))
    assert.deepStrictEqual(dotsOf("犬"), dotsOf("?"))
  })
})
