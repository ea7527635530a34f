import { assert, describe, it } from "@effect/vitest"
import { classColour, cssColour, inkOn, maskColours } from "../../../lib/charts/class-colours.ts"

const numClasses = 150
const distance = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) =>
  Math.hypot(...a.map((value, channel) => value - b[channel]!))

describe("colours of classes", () => {
  it("are bytes, no two alike, neighbours far apart", () => {
    const colours = Array.from({ length: numClasses }, (_, index) => classColour(index))
    for (const value of colours.flat()) assert.isTrue(Number.isInteger(value) && value >= 0 && value <= 255)
    assert.strictEqual(new Set(colours.map(cssColour)).size, numClasses)
    for (let index = 1; index < numClasses; index++) {
      assert.isAbove(distance(colours[index - 1]!, colours[index]!), 60, `${index}`)
    }
  })

  it("leave the background as it is", () => {
    assert.deepStrictEqual(maskColours(["background", "cat", "Background"]), [null, classColour(1), null])
  })

  it("are written on in black or white, so that it can be read", () => {
    assert.deepStrictEqual(
      [inkOn([255, 255, 0]), inkOn([0, 0, 160])],
      [
        [0, 0, 0],
        [255, 255, 255]
      ]
    )
    for (let index = 0; index < numClasses; index++) {
      assert.isAbove(distance(inkOn(classColour(index)), classColour(index)), 140, `${index}`)
    }
  })

  it("have six digits in a style sheet", () => assert.strictEqual(cssColour([0, 10, 255]), "#000aff"))
})
