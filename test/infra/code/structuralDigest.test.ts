/** What is hashed of a declaration: its meaning, not its spelling. */

import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { analysed, closureFolder, imagesOf, preImages, readSources } from "../../support/closureGolden.ts"
import { reformatted } from "../../support/reformatting.ts"

const imagesOfBody = (body: string, more: { readonly [path: string]: string } = {}) =>
  imagesOf({ "body.ts": body, ...more })

const same: ReadonlyArray<readonly [what: string, before: string, after: string]> = [
  ["quotes", 'export const run = "a"', "export const run = 'a'"],
  ["an escape", 'export const run = "\\u0061\\n"', 'export const run = "a\\x0a"'],
  [
    "how a number is written",
    "export const run = [255, 1e3, 0.5, 1_000n]",
    "export const run = [0xff, 1000, .5, 1000n]"
  ],
  ["quotes of a key", 'export const run = { "a": 1, 2: 2 }', "export const run = { a: 1, '2': 2 }"],
  ["a shorthand", "const a = 1\nexport const run = { a }", "const a = 1\nexport const run = { a: a }"],
  ["brackets around a name", 'export const run = globalThis["x"]', "export const run = globalThis.x"],
  [
    "a trailing comma",
    "export const run = [1, f(2)]\ndeclare function f(n: number): number",
    "export const run = [1, f(2,),]"
  ],
  ["carriage returns", "export const run = `a\nb`", "export const run = `a\r\nb`"],
  [
    "generics and assertions",
    "export const run = <T,>(x: T) => (x as never)!",
    "export const run = (x) => x"
  ],
  [
    "an overload",
    "export function run(a: string): void\nexport function run(a?: unknown) {}",
    "export function run(a) {}"
  ],
  [
    "members that only types have",
    "export class run { declare a: 1; private readonly b?: number = 2; [k: string]: unknown }",
    "export class run { b = 2 }"
  ],
  ["where an export is said", "export const run = 1", "const run = 1\nexport { run }"],
  ["an empty statement", "export const run = () => { ; }", "export const run = () => {}"]
]

const different: ReadonlyArray<readonly [what: string, before: string, after: string]> = [
  ["a value", "export const run = 1", "export const run = 2"],
  ["a number and its text", "export const run = 1", 'export const run = "1"'],
  ["a large number", "export const run = 1e999", "export const run = 1e308"],
  ["a bigint", "export const run = 1n", "export const run = 1"],
  ["a pattern's flag", "export const run = /a/", "export const run = /a/i"],
  ["raw text", "export const run = String.raw`\\n`", "export const run = String.raw`\n`"],
  ["a key made at run time", "export const run = { [globalThis.a]: 1 }", "export const run = { a: 1 }"],
  ["const or let", "export const run = 1", "export let run = 1"],
  ["await", "export const run = async (x) => await x", "export const run = async (x) => x"],
  ["a getter", "export const run = { get a() { return 1 } }", "export const run = { a() { return 1 } }"],
  ["an optional link", "export const run = (x) => x?.a", "export const run = (x) => x.a"],
  ["where an optional chain ends", "export const run = (x) => (x?.a).b", "export const run = (x) => x?.a.b"],
  ["the order of operands", "export const run = (a, b) => a - b", "export const run = (a, b) => b - a"],
  ["the name of a parameter", "export const run = (a) => a", "export const run = (b) => b"]
]

describe("what is hashed does not change with", () => {
  it.each(same)("%s", (_, before, after) => assert.deepStrictEqual(imagesOfBody(after), imagesOfBody(before)))
})

describe("what is hashed changes with", () => {
  it.each(different)("%s", (_, before, after) =>
    assert.notDeepEqual(imagesOfBody(after), imagesOfBody(before))
  )

  it("a name that means another declaration", () => {
    const lib = { "a.ts": "export const x = 1", "b.ts": "export const x = 1" }
    const body = (from: string) => `import { x } from "./${from}.ts"\nexport const run = x`
    assert.notDeepEqual(
      imagesOfBody(body("a"), lib)["body.ts#run"],
      imagesOfBody(body("b"), lib)["body.ts#run"]
    )
  })
})

describe("a name that is declared elsewhere", () => {
  const lib = {
    "a.ts": "export const x = 1\nexport default 2",
    "through.ts": 'export { x as y } from "./a.ts"'
  }
  const expected = imagesOfBody('import { x } from "./a.ts"\nexport const run = () => x', lib)
  it.each([
    ["under another name", 'import { x as z } from "./a.ts"\nexport const run = () => z'],
    ["through another module", 'import { y } from "./through.ts"\nexport const run = () => y'],
    ["as a member of its module", 'import * as all from "./a.ts"\nexport const run = () => all.x'],
    [
      "beside a type",
      'import { type T, x } from "./a.ts"\nimport type { U } from "./gone.ts"\n' +
        "export const run = (): T | U => x"
    ]
  ])("is hashed as what it means when it is imported %s", (_, body) =>
    assert.deepStrictEqual(imagesOfBody(body, lib), expected)
  )
})

describe("another way to write the same down", () => {
  const sources = readSources(join(closureFolder, "sources.txt"))
  const roots = [{ path: "stages/body.ts", names: ["run"] }]
  const expected = preImages(analysed((path) => sources[path], roots, ["two"]))
  const rewritten = (read: (path: string) => string | undefined, seed: number) => (path: string) => {
    const source = read(path)
    if (source === undefined) return undefined
    return path.endsWith(".json") ? JSON.stringify(JSON.parse(source)) : reformatted(path, source, seed)
  }
  const golden = (seed: number) => rewritten((path) => sources[path], seed)

  it("looks different", () => {
    assert.notStrictEqual(golden(1)("stages/body.ts"), sources["stages/body.ts"])
    assert.notStrictEqual(golden(1)("stages/body.ts"), golden(2)("stages/body.ts"))
  })

  it.prop("is hashed the same: the golden package", { seed: Schema.Int }, ({ seed }) => {
    assert.deepStrictEqual(preImages(analysed(golden(seed), roots, ["two"])), expected)
  })

  it.prop(
    "is hashed the same: a stage of ours",
    { seed: Schema.Int },
    ({ seed }) => {
      const own = [{ path: "stages/evaluate.run.ts", names: ["run"] }]
      const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : undefined)
      const before = preImages(analysed(read, own, ["resnet"]))
      assert.deepStrictEqual(preImages(analysed(rewritten(read, seed), own, ["resnet"])), before)
    },
    { arbitrary: { runs: 4 } }
  )
})
