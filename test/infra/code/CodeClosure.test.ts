/** Keys move with what a result depends on, and nothing else. Shown on a small package, edited on disk. */
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { CodeBundles, codeClosureLayer } from "../../../infra/code/CodeClosure.ts"
import { lockedPackages, packageNameOf } from "../../../infra/code/lockedPackages.ts"
import { packageRootOf } from "../../../infra/code/packageRoot.ts"
import { hasherLayer } from "../../../infra/hashing.ts"
import { CodeClosure } from "../../../lib/workflow/CodeClosure.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const base = temporaryFolder()
let numPackages = 0

const files: { readonly [path: string]: string } = {
  "package.json": '{ "name": "distillery" }',
  "package-lock.json": JSON.stringify({
    packages: { "node_modules/dep": { version: "1.0.0", integrity: "sha512-one" } }
  }),
  "node_modules/dep/package.json":
    '{ "name": "dep", "version": "1.0.0", "type": "module", "main": "index.js" }',
  "node_modules/dep/index.js": "export const dep = 1",
  "node_modules/esbuild/package.json": '{ "name": "esbuild", "version": "0.0.0" }',
  "lib/workflow/Stage.ts": "export const make = (stageName: string, run: unknown) => ({ stageName, run })",
  "stages/train.ts":
    'import { make } from "../lib/workflow/Stage.ts"\n' +
    'export const train = make("train", () => import("./train.run.ts"))',
  "stages/train.run.ts": [
    'import { dep } from "dep"',
    'import { readFileSync } from "node:fs"',
    'import type { Shape } from "../lib/shapes.ts"',
    'import { loss } from "../lib/loss.ts"',
    "export const run = (shape: Shape) => [loss(shape), dep, readFileSync]"
  ].join("\n"),
  "lib/shapes.ts": "export interface Shape { readonly rows: number }\nexport const rank = 1",
  "lib/loss.ts":
    'import { half } from "./half.ts"\n/** Doc. */\n' +
    "export const loss = (shape: { rows: number }) => half(shape.rows) // tail",
  "lib/half.ts": "export const half = (n: number): number => n / 2",
  "lib/unused.ts": "export const unused = 1",
  "infra/codec.ts": "export const codec = 1"
}

const makePackage = (): string => {
  const root = join(base, String(numPackages++))
  for (const [path, text] of Object.entries(files)) edit(root, path, text)
  return root
}

const edit = (root: string, path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

const layerOf = (root: string) =>
  codeClosureLayer({
    packageRoot: root,
    codeFolder: join(root, ".distillery/code"),
    serviceFiles: { Codec: "infra/codec.ts" }
  }).pipe(Layer.provide(hasherLayer))

const closure = (root: string, services: ReadonlyArray<string> = []) =>
  Effect.flatMap(CodeClosure, (code) => code.of("train", services)).pipe(Effect.provide(layerOf(root)))

describe("a closure", () => {
  it.effect("holds the modules with bytes in the body's bundle and the packages they import", () =>
    Effect.gen(function* () {
      const code = yield* closure(makePackage())
      assert.deepStrictEqual(Object.keys(code.modules), ["lib/half.ts", "lib/loss.ts", "stages/train.run.ts"])
      assert.deepStrictEqual(code.packages, { dep: "1.0.0 sha512-one" })
    })
  )

  it.effect("takes in the code of the services that change results", () =>
    Effect.gen(function* () {
      const root = makePackage()
      const code = yield* closure(root, ["Codec"])
      assert.include(Object.keys(code.modules), "infra/codec.ts")
      assert.notStrictEqual(code.digest, (yield* closure(root)).digest)
      const error = yield* Effect.flip(closure(root, ["Unknown"]))
      assert.match(error.message, /stage "train" cannot be hashed.*service "Unknown"/)
    })
  )

  it.effect("is known again without bundling, as long as the bytes are the same", () =>
    Effect.gen(function* () {
      const root = makePackage()
      const first = yield* closure(root)
      const known = join(root, ".distillery/code/known")
      const file = join(known, readdirSync(known)[0]!)
      // A mark that only survives if the record is used as it lies there.
      const marked = JSON.parse(readFileSync(file, "utf8")) as { packages: Array<string> }
      marked.packages = []
      writeFileSync(file, JSON.stringify(marked))
      utimesSync(join(root, "lib/half.ts"), 1, 1)
      const again = yield* closure(root)
      assert.deepStrictEqual(again.modules, first.modules)
      assert.deepStrictEqual(again.packages, {})
    })
  )
})

const edits = [
  ["nothing", (_: string) => undefined, false],
  [
    "a comment",
    (root: string) => edit(root, "lib/half.ts", `// why\n${files["lib/half.ts"]} /* tail */`),
    false
  ],
  [
    "the formatting",
    (root: string) => edit(root, "lib/half.ts", "export   const half=( n:number ):number=>\n n/2;"),
    false
  ],
  [
    "a type",
    (root: string) => edit(root, "lib/shapes.ts", "export interface Shape { readonly rows: 1 | 2 }"),
    false
  ],
  [
    "a module that is not reached",
    (root: string) => edit(root, "lib/unused.ts", "export const unused = 2"),
    false
  ],
  [
    "the engine",
    (root: string) =>
      edit(root, "lib/workflow/Stage.ts", `${files["lib/workflow/Stage.ts"]}\nexport const x = 1`),
    false
  ],
  [
    "the stage's contract",
    (root: string) => edit(root, "stages/train.ts", `${files["stages/train.ts"]}\nexport const x = 1`),
    false
  ],
  [
    "a module two imports deep",
    (root: string) => edit(root, "lib/half.ts", "export const half = (n: number): number => n / 3"),
    true
  ],
  [
    "the body",
    (root: string) =>
      edit(root, "stages/train.run.ts", `${files["stages/train.run.ts"]}\nexport const x = 1`),
    true
  ],
  [
    "a package's version",
    (root: string) => {
      edit(root, "node_modules/dep/package.json", '{ "name": "dep", "version": "1.0.1", "main": "index.js" }')
      edit(
        root,
        "package-lock.json",
        JSON.stringify({ packages: { "node_modules/dep": { version: "1.0.1", integrity: "sha512-two" } } })
      )
    },
    true
  ],
  [
    "a package's integrity",
    (root: string) => {
      edit(
        root,
        "package-lock.json",
        JSON.stringify({ packages: { "node_modules/dep": { version: "1.0.0", integrity: "sha512-three" } } })
      )
    },
    true
  ],
  ["the lock file, removed", (root: string) => rmSync(join(root, "package-lock.json")), true]
] as const

describe("the digest after an edit of", () => {
  it.effect.each(edits)("%s", ([, change, moves]) =>
    Effect.gen(function* () {
      const root = makePackage()
      const before = yield* closure(root)
      change(root)
      const after = yield* closure(root)
      assert.strictEqual(after.digest !== before.digest, moves)
    })
  )
})

describe("what cannot be hashed is refused with file and line:", () => {
  it.effect.each([
    ["a computed import", "\nexport const load = (name: string) => import(name)", /lib\/half\.ts:2: /],
    [
      "a templated import",
      `\nexport const load = (name: string) => import(\`./x/\${name}.ts\`)`,
      /lib\/half\.ts:2: /
    ],
    ["a module that is not there", '\nexport { gone } from "./gone.ts"', /lib\/half\.ts:2: .*gone/],
    ["a package that is not installed", '\nexport { gone } from "gone"', /package "gone" is not installed/],
    ["a syntax error", "\nexport const = 1", /lib\/half\.ts:2: /]
  ] as const)("%s", ([, code, message]) =>
    Effect.gen(function* () {
      const root = makePackage()
      edit(root, "lib/x/a.ts", "export const a = 1")
      edit(root, "lib/half.ts", files["lib/half.ts"]! + code)
      edit(
        root,
        "lib/loss.ts",
        'export * from "./half.ts"\nexport const loss = (s: { rows: number }) => s.rows'
      )
      edit(root, "stages/train.run.ts", 'export * from "../lib/loss.ts"')
      const error = yield* Effect.flip(closure(root))
      assert.strictEqual(error._tag, "CodeUnreadable")
      assert.match(error.message, message)
    })
  )
})

describe("the identity of a package", () => {
  const locked = JSON.stringify({
    packages: { "node_modules/dep": { version: "1.0.0", integrity: "sha512-one" } }
  })
  const nested = JSON.stringify({
    packages: {
      "node_modules/dep": { version: "2.0.0", integrity: "sha512-theirs" },
      "node_modules/distillery/node_modules/dep": { version: "1.0.0", integrity: "sha512-one" }
    }
  })
  const dep = '{ "name": "dep", "version": "1.0.0" }'
  const checkout = { "node_modules/.package-lock.json": locked, "node_modules/dep/package.json": dep }

  it.each([
    ["a checkout", "", checkout],
    ["a checkout inside a package of someone's", "", { "../package-lock.json": nested, ...checkout }],
    ["a dependency of the user's, hoisted", "node_modules/distillery", checkout],
    [
      "a dependency of the user's, nested because theirs is another version",
      "node_modules/distillery",
      {
        "node_modules/.package-lock.json": nested,
        "node_modules/dep/package.json": '{ "name": "dep", "version": "2.0.0" }',
        "node_modules/distillery/node_modules/dep/package.json": dep
      }
    ]
  ])("is the same in %s", (_, packageRoot, placed) => {
    const root = join(base, String(numPackages++), "inside")
    for (const [path, text] of Object.entries<string>(placed)) edit(root, path, text)
    assert.strictEqual(lockedPackages(join(root, packageRoot))("dep"), "1.0.0 sha512-one")
  })

  it("says so where no lock covers it, or it is not installed", () => {
    const root = join(base, String(numPackages++))
    edit(root, "node_modules/dep/package.json", dep)
    assert.strictEqual(lockedPackages(root)("dep"), "1.0.0 unlocked")
    edit(root, "package-lock.json", '{ "packages": { "node_modules/dep": { "version": "0.9.0" } } }')
    assert.strictEqual(lockedPackages(root)("dep"), "1.0.0 unlocked")
    assert.isUndefined(lockedPackages(root)("gone"))
  })
})

describe("a bundle", () => {
  const bundleOf = (root: string) =>
    Effect.flatMap(CodeBundles, (bundles) => bundles.of("train")).pipe(Effect.provide(layerOf(root)))

  it.effect("exports the stage with the body that was hashed, under its digest", () =>
    Effect.gen(function* () {
      const root = makePackage()
      const { file } = yield* bundleOf(root)
      // Beside the packages of the toy root, where its bare imports resolve without a hook.
      const { train } = yield* Effect.promise(() => import(/* @vite-ignore */ pathToFileURL(file).href))
      assert.strictEqual(train.stageName, "train")
      const { run } = yield* Effect.promise<{ readonly run: unknown }>(() => train.run())
      assert.strictEqual((run as (shape: unknown) => ReadonlyArray<unknown>)({ rows: 4 })[0], 2)
      edit(root, "lib/half.ts", "export const half = (n: number): number => n / 4")
      assert.notStrictEqual((yield* bundleOf(root)).file, file)
    })
  )

  it.effect("that was tampered with is made anew", () =>
    Effect.gen(function* () {
      const root = makePackage()
      const { file } = yield* bundleOf(root)
      const text = readFileSync(file, "utf8")
      writeFileSync(file, `${text}\n// more`)
      assert.strictEqual((yield* bundleOf(root)).file, file)
      assert.strictEqual(readFileSync(file, "utf8"), text)
    })
  )
})

describe("names", () => {
  it.each([
    ["effect", "effect"],
    ["effect/cli", "effect"],
    ["@tensorflow/tfjs/dist/x.js", "@tensorflow/tfjs"],
    ["node:fs", undefined],
    ["fs/promises", undefined]
  ])("the package of %s is %s", (specifier, name) => assert.strictEqual(packageNameOf(specifier), name))

  it("the package's root is found from a module, and named where there is none", () => {
    assert.strictEqual(packageRootOf(import.meta.url), process.cwd())
    assert.throws(() => packageRootOf("file:///nowhere/x.js"), /No package "distillery"/)
  })
})
