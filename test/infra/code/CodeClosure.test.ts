/** Keys move with what a result depends on, and nothing else. Shown on a small package, edited on disk. */
import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { digestOf } from "../../../infra/hashing.ts"
import { canonicalJson } from "../../../lib/workflow/Fingerprint.ts"
import { codeOf, edit, files, identityOf, makePackage } from "../../support/editedPackage.ts"

const body = "stages/train.run.ts"

describe("a closure", () => {
  it.effect("holds the declarations that the body reaches, and the packages they import", () =>
    Effect.gen(function* () {
      const { declarations, packages } = yield* identityOf(makePackage())
      assert.deepStrictEqual(Object.keys(declarations), [
        "lib/half.ts#half",
        "lib/loss.ts#loss",
        "lib/models.ts#loadModel",
        "lib/models.ts#models",
        "lib/small.ts#size",
        "stages/train.run.ts#run"
      ])
      assert.deepStrictEqual(packages, { deep: "3.0.0 sha512-deep", dep: "1.0.0 sha512-one" })
    })
  )

  it.effect("has a digest over all of that", () =>
    Effect.gen(function* () {
      const { declarations, digest, packages } = yield* identityOf(makePackage())
      assert.strictEqual(digest, digestOf(`code/1\n${canonicalJson({ declarations, packages })}`))
    })
  )

  it.effect("follows the entries of a registry that the job names", () =>
    Effect.gen(function* () {
      const root = makePackage()
      const small = yield* identityOf(root, { model: "small" })
      const large = yield* identityOf(root, { model: "large" })
      assert.include(Object.keys(large.declarations), "lib/large.ts#size")
      assert.notInclude(Object.keys(large.declarations), "lib/small.ts#size")
      assert.notStrictEqual(large.digest, small.digest)
      assert.deepStrictEqual(yield* identityOf(root, { model: "small" }), small)
    })
  )

  it.effect("knows where its declarations stand", () =>
    Effect.gen(function* () {
      const root = makePackage()
      edit(root, "lib/half.ts", `\n\n${files["lib/half.ts"]}`)
      assert.strictEqual((yield* codeOf(root)).lines["lib/half.ts#half"], 5)
    })
  )

  it.effect("takes in the code of the services that change results", () =>
    Effect.gen(function* () {
      const root = makePackage()
      const code = yield* identityOf(root, { services: ["Codec"] })
      assert.include(Object.keys(code.declarations), "Codec:infra/codec.ts#codec")
      assert.notStrictEqual(code.digest, (yield* identityOf(root)).digest)
      edit(root, "infra/codec.ts", "export const codec = 2")
      assert.notStrictEqual((yield* identityOf(root, { services: ["Codec"] })).digest, code.digest)
      const error = yield* Effect.flip(identityOf(root, { services: ["Unknown"] }))
      assert.match(error.message, /stage "train" cannot be hashed.*service "Unknown"/)
    })
  )

  it.effect("takes in what services are in another language", () =>
    Effect.gen(function* () {
      const root = makePackage()
      const code = yield* identityOf(root, { services: ["Codec"] })
      assert.include(Object.keys(code.declarations), "Codec:infra/codec/turn.c")
      edit(root, "infra/codec/turn.c", "int turn(int x) { return x; }")
      const edited = yield* identityOf(root, { services: ["Codec"] })
      assert.notStrictEqual(edited.digest, code.digest)
      edit(root, "infra/codec/more.c", "int more(void) { return 1; }")
      assert.notStrictEqual((yield* identityOf(root, { services: ["Codec"] })).digest, edited.digest)
      assert.notInclude(Object.keys((yield* identityOf(root)).declarations).join(), ".c")
    })
  )

  it.effect("is known again without parsing, as long as the bytes are the same", () =>
    Effect.gen(function* () {
      const root = makePackage()
      const first = yield* identityOf(root)
      const known = join(root, ".distillery/code/known")
      const file = join(known, readdirSync(known)[0]!)
      // A mark that only survives if the record is used as it lies there.
      const marked = JSON.parse(readFileSync(file, "utf8")) as { known: Array<{ packages: object }> }
      marked.known[0]!.packages = {}
      writeFileSync(file, JSON.stringify(marked))
      utimesSync(join(root, "lib/half.ts"), 1, 1)
      const again = yield* identityOf(root)
      assert.deepStrictEqual(again.declarations, first.declarations)
      assert.deepStrictEqual(again.packages, {})
    })
  )
})

const appended = (path: string, text: string) => (root: string) => edit(root, path, `${files[path]}\n${text}`)
const replaced = (path: string, from: string, to: string) => (root: string) => {
  assert.include(files[path], from)
  edit(root, path, files[path]!.replace(from, to))
}

const lock = (packages: object) => (root: string) => {
  const { packages: before } = JSON.parse(files["package-lock.json"]!) as { packages: object }
  edit(root, "package-lock.json", JSON.stringify({ packages: { ...before, ...packages } }))
}
const upgrade = (name: string, version: string) => (root: string) => {
  const path = `node_modules/${name}/package.json`
  edit(root, path, files[path]!.replace(/"version": "[^"]+"/, `"version": "${version}"`))
}

const keeping: ReadonlyArray<readonly [string, (root: string) => void]> = [
  ["nothing", () => undefined],
  ["a comment", (root) => edit(root, "lib/half.ts", `// why\n${files["lib/half.ts"]} /* tail */`)],
  [
    "the formatting",
    replaced("lib/half.ts", "half = (n: number): number => n / 2", "half =(\nn\n)=>\n (n/2);")
  ],
  ["the quotes of a key", replaced("lib/models.ts", '"large"', "large")],
  ["a type", replaced("lib/half.ts", "(n: number): number", "(n: 1 | 2): unknown")],
  ["a module of types", replaced("lib/shapes.ts", "rows: number", "rows: 1 | 2")],
  ["a module that is not reached", replaced("lib/unused.ts", "1", "2")],
  ["an unused constant", replaced("lib/shapes.ts", "rank = 1", "rank = 2")],
  ["an unused struct", replaced("lib/half.ts", "Struct({ n: Schema.Number })", "Struct({})")],
  ["an unused error", replaced("lib/half.ts", '("Odd", {', '("Even", {')],
  ["an unused effect", replaced("lib/half.ts", "yield* idle", "yield* idle()")],
  ["a new unused export", appended(body, "export const x = () => 1")],
  [
    "a new entry of a registry",
    replaced("lib/models.ts", "= {\n", '= {\n  tiny: () => import("./unused.ts"),\n')
  ],
  ["the code of an entry that is not named", replaced("lib/large.ts", "100", "200")],
  ["the order of imports", (root) => edit(root, body, files[body]!.split("\n").sort().join("\n"))],
  [
    "the name an import is given",
    (root) =>
      edit(
        root,
        "lib/loss.ts",
        files["lib/loss.ts"]!.replace("{ half }", "{ half as h }").replace("half(", "h(")
      )
  ],
  [
    "an export that now passes through another module",
    (root) => {
      edit(root, "lib/loss.ts", files["lib/loss.ts"]!.replace("./half.ts", "./through.ts"))
      edit(root, "lib/through.ts", 'export * from "./half.ts"')
    }
  ],
  ["the engine", appended("lib/workflow/brand.ts", "export const x = 1")],
  ["the stage's contract", appended("stages/train.ts", "export const x = 1")],
  ["a package that only unused code imports", upgrade("idle", "2.0.0")],
  ["a package that is a peer", upgrade("peer", "2.0.0")]
]

const moving: ReadonlyArray<readonly [string, (root: string) => void]> = [
  ["a helper three imports deep", replaced("lib/half.ts", "n / 2", "n / 3")],
  ["the body", replaced(body, "[loss(shape)", "[1, loss(shape)")],
  ["the code of the entry that is named", replaced("lib/small.ts", "1", "2")],
  ["where the entry that is named lies", replaced("lib/models.ts", "./small.ts", "./large.ts")],
  ["a module that acts when it is loaded", appended("lib/half.ts", "globalThis.x = 1")],
  [
    "a package's version",
    (root) => {
      upgrade("dep", "1.0.1")(root)
      lock({ "node_modules/dep": { version: "1.0.1", integrity: "sha512-two" } })(root)
    }
  ],
  ["a package's integrity", lock({ "node_modules/dep": { version: "1.0.0", integrity: "sha512-three" } })],
  ["the package of a package", upgrade("deep", "3.0.1")],
  ["the lock file, removed", (root) => rmSync(join(root, "package-lock.json"))]
]

describe("order counts where it acts:", () => {
  const half = files["lib/half.ts"]!.replace("n / 2", "(n * m) / 2")
  const digestOfHalf = (...lines: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const root = makePackage()
      edit(root, "lib/half.ts", [...lines, half].join("\n"))
      return (yield* identityOf(root)).digest
    })

  it.effect("of a statement and what stands beside it, not of what does nothing", () =>
    Effect.gen(function* () {
      const [start, set, use] = ["let s = 1", "s = 2", "const m = s * 3"] as const
      assert.notStrictEqual(yield* digestOfHalf(start, set, use), yield* digestOfHalf(start, use, set))
      const [a, b] = ["const a = 1", "const m = a"]
      assert.strictEqual(yield* digestOfHalf(a, b), yield* digestOfHalf(b, a))
    })
  )

  it.effect("of the keys of a JSON file, not of its blanks", () =>
    Effect.gen(function* () {
      const digestOfJson = (text: string) =>
        Effect.gen(function* () {
          const root = makePackage()
          edit(root, "lib/classes.json", text)
          const imported = 'import classes from "./classes.json" with { type: "json" }'
          edit(root, "lib/half.ts", [imported, "const m = Object.keys(classes).length", half].join("\n"))
          return (yield* identityOf(root)).digest
        })
      const before = yield* digestOfJson('{"cat":0,"dog":1}')
      assert.strictEqual(yield* digestOfJson('{ "cat": 0,\n"dog": 1 }'), before)
      assert.notStrictEqual(yield* digestOfJson('{"dog":1,"cat":0}'), before)
    })
  )
})

describe("the digest after an edit of", () => {
  const digests = (change: (root: string) => void) =>
    Effect.gen(function* () {
      const root = makePackage()
      const { digest: before } = yield* identityOf(root)
      change(root)
      return [before, (yield* identityOf(root)).digest] as const
    })
  it.effect.each(keeping)("%s is the same", ([, change]) =>
    Effect.map(digests(change), ([before, after]) => assert.strictEqual(after, before))
  )
  it.effect.each(moving)("%s is another", ([, change]) =>
    Effect.map(digests(change), ([before, after]) => assert.notStrictEqual(after, before))
  )
})

const refused: ReadonlyArray<readonly [string, string, RegExp]> = [
  [
    "a computed import",
    "export const load = (name: string) => import(name)",
    /lib\/half\.ts:7: an import\(\)/
  ],
  [
    "a templated import",
    `export const load = (name: string) => import(\`./x/\${name}.ts\`)`,
    /lib\/half\.ts:7: /
  ],
  ["a computed require", "export const load = (name: string) => require(name)", /lib\/half\.ts:7: /],
  ["a glob", 'export const load = import.meta.glob("./*.ts")', /lib\/half\.ts:7: /],
  ["a module that is not there", 'export { gone as load } from "./gone.ts"', /lib\/half\.ts:7: .*gone/],
  ["a name that is not there", 'export { gone as load } from "./small.ts"', /exports no "load"/],
  [
    "a package that is not installed",
    'export { gone as load } from "gone"',
    /package "gone" is not installed/
  ],
  ["a syntax error", "export const = 1", /lib\/half\.ts:7: /],
  ["an enum", "export enum load { A }", /lib\/half\.ts:7: an enum/]
]

describe("what cannot be hashed is refused with file and line:", () => {
  it.effect.each(refused)("%s", ([, code, message]) =>
    Effect.gen(function* () {
      const root = makePackage()
      edit(root, "lib/half.ts", `${files["lib/half.ts"]}\n${code}`)
      edit(root, "lib/loss.ts", 'import { load } from "./half.ts"\nexport const loss = () => load')
      const error = yield* Effect.flip(identityOf(root))
      assert.strictEqual(error._tag, "CodeUnreadable")
      assert.match(error.message, message)
    })
  )

  it.effect("and not where nothing reaches it", () =>
    Effect.gen(function* () {
      const root = makePackage()
      edit(root, "lib/half.ts", `${files["lib/half.ts"]}\nexport const load = (name: string) => import(name)`)
      yield* identityOf(root)
    })
  )
})
