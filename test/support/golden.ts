/** Values that other libraries computed: `test/golden/<name>/golden.json`, written by `make.py` beside it. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert } from "@effect/vitest"

export const readGolden = <T>(name: string): T =>
  JSON.parse(readFileSync(join(import.meta.dirname, "..", "golden", name, "golden.json"), "utf8")) as T

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
