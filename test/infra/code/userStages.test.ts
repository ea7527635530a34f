/** Stages of the user's own: found from the pipeline's module, hashed and executed from where they lie. */
import { readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { CodeBundles, codeClosureLayer } from "../../../infra/code/CodeClosure.ts"
import { hasherLayer } from "../../../infra/hashing.ts"
import { CodeClosure } from "../../../lib/workflow/CodeClosure.ts"
import type { AnyStage } from "../../../lib/workflow/Stage.ts"
import { edit, emptyFolder, makePackage } from "../../support/editedPackage.ts"

const project: { readonly [path: string]: string } = {
  "package.json": '{ "name": "mine", "type": "module" }',
  "package-lock.json": JSON.stringify({
    packages: { "node_modules/distillery": { version: "0.1.0", integrity: "sha512-ours" } }
  }),
  "node_modules/distillery/package.json":
    '{ "name": "distillery", "version": "0.1.0", "type": "module", "exports": "./index.js",' +
    ' "dependencies": { "anything": "1" } }',
  "node_modules/distillery/index.js":
    "export const Stage = { make: (stageName, options) => ({ stageName, ...options }) }",
  "pipelines/mine.ts":
    'import { Stage } from "distillery"\nimport { count } from "../stages/counting.ts"\n' +
    "export const pipeline = { count, Stage }",
  "stages/counting.ts": [
    'import { Stage } from "distillery"',
    "/** Two in a module. */",
    'export const count = Stage.make("count", { params: {}, run: () => import("./counting-body.ts") })',
    'export const other = Stage.make("other", { run: () => import("./other-body.ts") })'
  ].join("\n"),
  "stages/counting-body.ts":
    'import { Stage } from "distillery"\nimport { one } from "../lib/one.ts"\n' +
    "export const run = () => [one, typeof Stage]",
  "stages/other-body.ts": 'export const run = () => "other body"',
  "lib/one.ts": "export const one = 1\nexport const two = 2"
}

const makeProject = (): string => {
  const root = emptyFolder()
  for (const [path, text] of Object.entries(project)) edit(root, path, text)
  return root
}

/** As another process would see both. */
const layerOf = (root: string, packageRoot: string, pipelineFile = join(root, "pipelines/mine.ts")) =>
  codeClosureLayer({
    packageRoot,
    codeFolder: join(root, ".distillery/code"),
    serviceFiles: {},
    pipelineFile
  }).pipe(Layer.provide(hasherLayer))

const ours = makePackage()
const identityOf = (root: string, stageName = "count", packageRoot = ours) =>
  Effect.flatMap(CodeClosure, (code) =>
    code.of({ stageName, resultServices: [], names: () => new Set() })
  ).pipe(
    Effect.map(({ identity }) => identity),
    Effect.provide(layerOf(root, packageRoot))
  )

describe("a stage of the user's own", () => {
  it.effect("is hashed from its own root, with distillery as the package that it is there", () =>
    Effect.gen(function* () {
      const { declarations, packages } = yield* identityOf(makeProject())
      assert.deepStrictEqual(Object.keys(declarations), ["lib/one.ts#one", "stages/counting-body.ts#run"])
      assert.deepStrictEqual(packages, { distillery: "0.1.0 sha512-ours" })
    })
  )

  it.effect("is executed alone, though its contract stands beside others", () =>
    Effect.gen(function* () {
      const root = makeProject()
      const stage = { stageName: "count" } as AnyStage
      const bundle = yield* Effect.flatMap(CodeBundles, (bundles) =>
        bundles.of({ stage, params: {}, inputs: {} })
      ).pipe(Effect.provide(layerOf(root, ours)))
      assert.strictEqual(bundle.root, root)
      assert.notInclude(readFileSync(bundle.file, "utf8"), "other body")
      const { count } = yield* Effect.promise(
        () => import(/* @vite-ignore */ pathToFileURL(bundle.file).href)
      )
      const { run } = yield* Effect.promise<{ run: () => unknown }>(() => count.run())
      assert.deepStrictEqual(run(), [1, "object"])
    })
  )

  it.effect("moves with what it uses, and with nothing else", () =>
    Effect.gen(function* () {
      const root = makeProject()
      const before = yield* identityOf(root)
      edit(root, "lib/one.ts", `${project["lib/one.ts"]} // why\nexport const three = 3`)
      assert.deepStrictEqual(yield* identityOf(root), before)
      edit(root, "lib/one.ts", "export const one = 11")
      assert.notStrictEqual((yield* identityOf(root)).digest, before.digest)
    })
  )

  it.effect("is found again without parsing, until one of the modules on the way changes", () =>
    Effect.gen(function* () {
      const root = makeProject()
      yield* identityOf(root)
      const known = join(root, ".distillery/code/known")
      const scan = readdirSync(known)
        .map((name) => join(known, name))
        .find((file) => readFileSync(file, "utf8").includes('"stages"'))!
      // A mark that only survives if the record is used as it lies there.
      writeFileSync(scan, readFileSync(scan, "utf8").replace("counting-body.ts", "other-body.ts"))
      utimesSync(join(root, "pipelines/mine.ts"), 1, 1)
      assert.include(Object.keys((yield* identityOf(root)).declarations), "stages/other-body.ts#run")
      edit(root, "pipelines/mine.ts", `${project["pipelines/mine.ts"]}\n`)
      assert.include(Object.keys((yield* identityOf(root)).declarations), "stages/counting-body.ts#run")
    })
  )

  it.effect("may stand beside stages of ours, which are hashed from our package", () =>
    Effect.gen(function* () {
      const { declarations } = yield* identityOf(makeProject(), "train")
      assert.include(Object.keys(declarations), "stages/train.run.ts#run")
    })
  )
})

describe("a stage that cannot be found is refused:", () => {
  const reason = (root: string, stageName: string) =>
    Effect.map(Effect.flip(identityOf(root, stageName)), ({ message }) => message)

  it.effect("one that nobody defines", () =>
    Effect.gen(function* () {
      assert.match(yield* reason(makeProject(), "cuont"), /none of distillery's; .*mine\.ts must import/)
    })
  )

  it.effect("one of the user's with the name of one of ours", () =>
    Effect.gen(function* () {
      const root = makeProject()
      edit(root, "stages/counting.ts", project["stages/counting.ts"]!.replace('"other"', '"train"'))
      assert.match(yield* reason(root, "train"), /counting\.ts defines a stage .* so does distillery/)
    })
  )

  it.effect("one that is defined twice", () =>
    Effect.gen(function* () {
      const root = makeProject()
      edit(root, "stages/counting.ts", project["stages/counting.ts"]!.replace('"other"', '"count"'))
      assert.match(yield* reason(root, "count"), /defined more than once/)
    })
  )

  it.effect("one that a module defines which is not there, or cannot be parsed", () =>
    Effect.gen(function* () {
      const root = makeProject()
      edit(root, "pipelines/mine.ts", 'import { x } from "./gone.ts"\nexport const pipeline = x')
      assert.match(yield* reason(root, "count"), /mine\.ts:1: there is no module "\.\/gone\.ts"/)
      edit(root, "pipelines/mine.ts", "export const = 1")
      assert.match(yield* reason(root, "count"), /mine\.ts:1: /)
    })
  )
})

describe("a pipeline of ours given by its path", () => {
  it.effect("has the stages that it has by its name", () =>
    Effect.gen(function* () {
      const root = makePackage()
      edit(
        root,
        "pipelines/own.ts",
        'import { train } from "../stages/train.ts"\nexport const pipeline = train'
      )
      edit(
        root,
        "stages/train.ts",
        'import { make } from "../lib/workflow/Stage.ts"\n' +
          'export const train = make("train", { run: () => import("./train.run.ts") })'
      )
      const request = { stageName: "train", resultServices: [], names: () => new Set(["small"]) }
      const code = (file?: string) =>
        Effect.flatMap(CodeClosure, (closure) => closure.of(request)).pipe(
          Effect.provide(layerOf(root, root, file))
        )
      const byPath = yield* code(join(root, "pipelines/own.ts"))
      assert.deepStrictEqual(byPath, yield* code(join(root, "nowhere.ts")))
    })
  )
})
