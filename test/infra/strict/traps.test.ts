/** Everything a body could read behind its key's back is told, with the line; what it may do is not. */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import type { Leak } from "../../../lib/workflow/Leak.ts"

const fixture = join(import.meta.dirname, "../../fixtures/strict")
const { stdout, stderr } = spawnSync(process.execPath, [join(fixture, "watched.ts")], { encoding: "utf8" })
const found: { readonly [name: string]: ReadonlyArray<Leak> } = JSON.parse(stdout === "" ? "{}" : stdout)

const expected: ReadonlyArray<readonly [name: string, kind: Leak["kind"], what: string]> = [
  ["environment", "environment", "SECRET_SAUCE"],
  ["all of the environment", "environment", "all variables"],
  ["file", "file", "/etc/hostname"],
  ["file later", "file", "/etc/hostname"],
  ["directory", "directory", "/etc"],
  ["clock", "clock", "Date.now()"],
  ["date", "clock", "new Date()"],
  ["performance", "clock", "performance.now()"],
  ["time zone", "time zone", "Date.getHours()"],
  ["chance", "randomness", "Math.random()"],
  ["random bytes", "randomness", "crypto.randomUUID()"],
  ["fetch", "network", "http://127.0.0.1:9/"],
  ["socket", "network", "127.0.0.1:9"],
  ["working directory", "working directory", "process.cwd()"],
  ["relative path", "working directory", "process.cwd()"],
  ["locale", "locale", "toLocaleString() without a locale"],
  ["collator", "locale", "Intl.Collator() without a locale"],
  ["host", "host", "os.hostname()"],
  ["temporary folder", "temporary folder", "os.tmpdir()"],
  ["threads", "threads", "os.availableParallelism()"],
  ["program", "program", "true"],
  ["Effect's chance", "randomness", "Math.random()"]
]

/** The line of the fixture that holds the function of this name. */
const lineOf = (name: string): number => {
  const lines = readFileSync(join(fixture, "leaks.ts"), "utf8").split("\n")
  return lines.findIndex((line) => new RegExp(`^  "?${name}"?: `).test(line)) + 1
}

describe("a trap tells of", () => {
  it.each(expected)("%s", (name, kind, what) => {
    assert.deepStrictEqual(
      found[name],
      [{ kind, what, where: `test/fixtures/strict/leaks.ts:${lineOf(name)}` }],
      stderr
    )
  })

  it("chance and environment that are asked for through Effect", () => {
    assert.deepStrictEqual(found["effect chance"], [
      { kind: "randomness", what: "Effect's Random without a seed", where: null }
    ])
    assert.deepStrictEqual(found["effect environment"], [
      { kind: "environment", what: "SECRET_SAUCE", where: null }
    ])
  })
})

describe("a trap does not tell of", () => {
  it.each([
    "loading",
    "file is there",
    "arithmetic",
    "a given date",
    "a given locale",
    "Effect's clock",
    "a package"
  ])("%s", (name) => assert.deepStrictEqual(found[name], [], stderr))
})
