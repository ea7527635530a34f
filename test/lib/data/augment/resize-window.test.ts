/** Against torchvision's `resized_crop`: `test/golden/augment/make.py`. */
import { assert, describe, it } from "@effect/vitest"
import type { Window } from "../../../../lib/data/augment/random-resized-crop.ts"
import { resizeWindow } from "../../../../lib/data/augment/resize-window.ts"
import { assertClose, readGolden } from "../../../support/golden.ts"

const golden = readGolden<{
  readonly height: number
  readonly width: number
  readonly pixels: string
  readonly windows: ReadonlyArray<{
    readonly window: Window
    readonly height: number
    readonly width: number
    readonly flip: boolean
    readonly values: string
  }>
}>("augment")

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"))
const pixels = bytesOf(golden.pixels)
const size = { height: golden.height, width: golden.width, channels: 3 }

describe("resizeWindow", () => {
  for (const { values, window, ...asked } of golden.windows) {
    const { flip, height, width } = asked
    it(`has torchvision's values: ${JSON.stringify(window)} to ${height} × ${width}`, () => {
      const output = new Float32Array(height * width * 3)
      resizeWindow({ output, height, width, pixels, from: 0, size, window, flip })
      assertClose(output, new Float32Array(bytesOf(values).buffer), 2e-5)
    })
  }

  it("treats one channel as it treats each of three", () => {
    const { window, height, width } = golden.windows[1]!
    const green = pixels.filter((_, index) => index % 3 === 1)
    const one = new Float32Array(height * width)
    const three = new Float32Array(height * width * 3)
    const asked = { height, width, window, flip: false, from: 0 }
    resizeWindow({ ...asked, output: one, pixels: green, size: { ...size, channels: 1 } })
    resizeWindow({ ...asked, output: three, pixels, size })
    assert.deepStrictEqual(
      one,
      three.filter((_, index) => index % 3 === 1)
    )
  })
})
