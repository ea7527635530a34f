/** What is reached of small packages: references, not mentions. */
import { assert, describe, it } from "vitest"
import { analysed, imagesOf } from "../../support/closureGolden.ts"

const ids = (sources: { readonly [path: string]: string }, named: ReadonlyArray<string> = []) =>
  Object.keys(imagesOf(sources, named))

interface Case {
  readonly what: string
  readonly sources: { readonly [path: string]: string }
  readonly reached: ReadonlyArray<string>
}

const a = "export const one = 1\nexport const two = () => one\nconst three = 3\n"

const cases: ReadonlyArray<Case> = [
  {
    what: "a parameter that has the name of a declaration",
    sources: { "body.ts": "const x = 1\nexport const run = (x: number) => x" },
    reached: ["body.ts#run"]
  },
  {
    what: "a variable of a block with that name, and a use outside of the block",
    sources: {
      "body.ts": "const x = 1, y = 2\nexport const run = () => { { const y = 0; void y }\nreturn x }"
    },
    reached: ["body.ts#run", "body.ts#x"]
  },
  {
    what: "a property, a label and a key with that name",
    sources: {
      "body.ts":
        "const x = 1\nexport const run = (o: { x: number }) => { x: for (;;) { o.x = { x: 2 }.x; break x } }"
    },
    reached: ["body.ts#run"]
  },
  {
    what: "a name that only a type uses",
    sources: {
      "body.ts": `import { one } from "./a.ts"\nexport const run = (n: typeof one): n is typeof one => true`,
      "a.ts": a
    },
    reached: ["body.ts#run"]
  },
  {
    what: "what a function that is reached assigns to",
    sources: { "body.ts": "let last = 0\nlet idle = 0\nexport const run = () => { last = 1 }" },
    reached: ["body.ts#last", "body.ts#run"]
  },
  {
    what: "all names of one declaration, and no others of its statement",
    sources: {
      "body.ts":
        "const { a, ...rest } = make(), other = make()\nfunction make() { return {} }\nexport const run = a"
    },
    reached: ["body.ts#a,rest", "body.ts#make", "body.ts#run"]
  },
  {
    what: "the base of a class, its decorations by statements, and what a static block acts on",
    sources: {
      "body.ts":
        "const seen = new Set()\nclass Base {}\n" +
        "export class run extends Base { static { seen.add(this) } }\n" +
        "class Alone extends Base {}\n"
    },
    reached: ["body.ts#Base", "body.ts#run", "body.ts#seen"]
  },
  {
    what: "statements of a module whose unused export is imported, with what they refer to",
    sources: {
      "body.ts": `import { one } from "./a.ts"\nexport const idle = one\nexport const run = 1`,
      "a.ts": `${a}install(two)\nfunction install(f: unknown) {}`
    },
    reached: ["a.ts#install", "a.ts#one", "a.ts#statements", "a.ts#two", "body.ts#run"]
  },
  {
    what: "nothing of a module that only types are imported from",
    sources: {
      "body.ts":
        `import type { T } from "./a.ts"\nimport { type U } from "./a.ts"\n` +
        `export const run = (t: T, u: U) => 1`,
      "a.ts": `${a}install(two)`
    },
    reached: ["body.ts#run"]
  },
  {
    what: "variables that statements declare in passing",
    sources: { "body.ts": "for (var i = 0; i < 2; i++) { var j = i }\nexport const run = () => j" },
    reached: ["body.ts#run", "body.ts#statements"]
  },
  {
    what: "one member of a namespace, and all where it is passed on",
    sources: {
      "body.ts":
        `import * as a from "./a.ts"\nimport * as b from "./b.ts"\n` +
        `export const run = [a.two, Object.keys(b)]`,
      "a.ts": a,
      "b.ts": a
    },
    reached: ["a.ts#one", "a.ts#two", "b.ts#one", "b.ts#two", "body.ts#run"]
  },
  {
    what: "a namespace with a member that is chosen at run time",
    sources: {
      "body.ts": `import * as a from "./a.ts"\nexport const run = (name: "one") => a[name]`,
      "a.ts": a
    },
    reached: ["a.ts#one", "a.ts#two", "body.ts#run"]
  },
  {
    what: "a name behind several `export *`",
    sources: {
      "body.ts": `import { one } from "./through.ts"\nexport const run = one`,
      "through.ts": `export * from "effect"\nexport * from "./again.ts"\nexport const idle = 1`,
      "again.ts": `export * from "./a.ts"`,
      "a.ts": a
    },
    reached: ["a.ts#one", "body.ts#run"]
  },
  {
    what: "modules that export and import one another",
    sources: {
      "body.ts": `import { one } from "./c.ts"\nexport const run = one`,
      "c.ts": `export * from "./d.ts"\nexport const two = 2`,
      "d.ts": `import { two } from "./c.ts"\nexport * from "./c.ts"\nexport const one = () => two`
    },
    reached: ["body.ts#run", "c.ts#two", "d.ts#one"]
  },
  {
    what: "a default export, by whatever name",
    sources: {
      "body.ts": `import some, { default as other } from "./a.ts"\nexport const run = [some, other]`,
      "a.ts": "const idle = 1\nexport default class Named {}"
    },
    reached: ["a.ts#Named", "body.ts#run"]
  },
  {
    what: "a body that is exported under the name",
    sources: { "body.ts": "const go = 1, stay = 2\nexport { go as run, stay }" },
    reached: ["body.ts#exports", "body.ts#go"]
  },
  {
    what: "all that a module exports which is loaded by a literal",
    sources: {
      "body.ts": "export const run = () => [import('./a.ts'), require(`./b.ts`)]",
      "a.ts": a,
      "b.ts": a
    },
    reached: ["a.ts#one", "a.ts#two", "b.ts#one", "b.ts#two", "body.ts#run"]
  },
  {
    what: "JSON, by what it holds",
    sources: {
      "body.ts": `import t from "./t.json" with { type: "json" }\nexport const run = t.a`,
      "t.json": '{"a": 1}'
    },
    reached: ["body.ts#run", "t.json#json"]
  }
]

describe("reached is", () => {
  it.each(cases)("$what", ({ reached, sources }) => assert.deepStrictEqual(ids(sources), reached))
})

describe("a registry", () => {
  const registry =
    'const list = { a: () => import("./a.ts"), "b": () => import("./b.ts") }\n' +
    'const plain = { a: () => import("./b.ts"), n: 1 }\n'
  const sources = (body: string) => ({
    "body.ts": registry + body,
    "a.ts": "export const a = 1",
    "b.ts": "export const b = 1"
  })
  const modules = (body: string, named: ReadonlyArray<string> = []) =>
    ids(sources(body), named).filter((id) => !id.startsWith("body.ts"))

  it("is followed at the entries that the job names", () => {
    assert.deepStrictEqual(modules("export const run = (n: 'a') => list[n]()"), [])
    assert.deepStrictEqual(modules("export const run = (n: 'a') => list[n]()", ["b", "c"]), ["b.ts#b"])
  })
  it("is followed at the members that the code names, whatever the job names", () => {
    assert.deepStrictEqual(modules("export const run = list.a", ["b"]), ["a.ts#a"])
    assert.deepStrictEqual(modules('export const run = list["b"]'), ["b.ts#b"])
  })
  it("is followed whole by whoever passes it on", () => {
    assert.deepStrictEqual(modules("export const run = Object.keys(list)"), ["a.ts#a", "b.ts#b"])
  })
  it("has only entries that load a literal; another record is code like any other", () => {
    assert.deepStrictEqual(modules("export const run = (n: 'a') => plain[n]"), ["b.ts#b"])
  })
  it("tells which keys it mattered to know", () => {
    const { reached } = analysed(
      (path) => sources("export const run = (n: 'a') => list[n]()")[path as "a.ts"],
      [{ path: "body.ts", names: ["run"] }]
    )
    assert.deepStrictEqual([...reached.asked], ["a", "b"])
  })
})

describe("packages and Node's modules", () => {
  const reached = (body: string) =>
    analysed((path) => (path === "body.ts" ? body : undefined), [{ path: "body.ts", names: ["run"] }]).reached

  it("are reached by declarations that use them, or by an import for what it does", () => {
    const { outside, specifiers } = reached(
      `import { a, b as c } from "used"\nimport { d } from "idle"\nimport "acts"\n` +
        `import * as fs from "fs"\n` +
        `import { Stage } from "./lib/workflow/Stage.ts"\nconst idle = d\n` +
        `export const run = [a, fs.readFileSync, Stage]`
    )
    assert.deepStrictEqual([...outside].sort(), ["acts#*", "node:fs#*", "used#a"])
    assert.deepStrictEqual([...specifiers].sort(), ["acts", "node:fs", "used"])
  })
})

describe("what cannot be followed is refused:", () => {
  it.each([
    ["import(name)", /body\.ts:2: an import\(\) whose path is made at run time/],
    ["require(name)", /body\.ts:2: /],
    ["import('./' + name)", /body\.ts:2: /],
    ["missing", /body\.ts:2: ".\/a.ts" exports no "missing"/],
    ["all.missing", /body\.ts:2: a\.ts exports no "missing"/]
  ])("%s", (expression, message) => {
    const body =
      `import { missing } from "./a.ts"; import * as all from "./a.ts"\n` +
      `export const run = (name) => ${expression}`
    assert.throws(() => ids({ "body.ts": body, "a.ts": a }), message)
  })

  it.each([
    "enum E { A }",
    "namespace N { export const a = 1 }",
    "class C { constructor(private a: number) {} }",
    "import fs = require('fs')",
    "@decorated class D {}"
  ])("%s", (text) =>
    assert.throws(() => ids({ "body.ts": `export const run = 1\n${text}` }), /^body\.ts:2: /)
  )

  it("and not what only types say", () => {
    const text =
      "declare enum E { A }\ndeclare namespace N { const a: number }\n" +
      "declare global { var x: 1 }\nabstract class C { abstract a(): void }"
    assert.deepStrictEqual(ids({ "body.ts": `${text}\nexport const run = 1` }), ["body.ts#run"])
  })
})
