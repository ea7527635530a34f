/** Every construct, and what is hashed of it: a change of these bytes moves everybody's keys. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { closureFolder, goldenClosure } from "../../support/closureGolden.ts"

describe("the closure of the golden package", () => {
  it("is what it was", () => {
    const golden = JSON.parse(readFileSync(join(closureFolder, "golden.json"), "utf8"))
    assert.deepStrictEqual(goldenClosure(), golden)
  })
})
