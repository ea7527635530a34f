/** Values that other libraries computed: `test/golden/<name>/<file>`, written by `make.py` beside it. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert } from "@effect/vitest"

export const readGolden = <T>(name: string, file = "golden.json"): T =>
  JSON.parse(readFileSync(join(import.meta.dirname, "..", "golden", name, file), "utf8")) as T

/** Every value within `tolerance` of the wanted one, relative to it where it is larger than 1. */
export const assertClose = (
  actual: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: number
): void => {
  assert.strictEqual(actual.length, wanted.length)
  for (let index = 0; index < wanted.length; index++) {
    const allowed = tolerance * Math.max(1, Math.abs(wanted[index]!))
    assert.approximately(actual[index]!, wanted[index]!, allowed, `value ${index}`)
  }
}
