/** A small package on disk, for tests that edit it: a stage `train` with a helper three imports deep. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Effect, Layer } from "effect"
import { CodeBundles, codeClosureLayer } from "../../infra/code/CodeClosure.ts"
import { hasherLayer } from "../../infra/hashing.ts"
import { CodeClosure, namesIn } from "../../lib/workflow/CodeClosure.ts"
import type { AnyStage } from "../../lib/workflow/Stage.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

export const files: { readonly [path: string]: string } = {
  "package.json": '{ "name": "distillery" }',
  "package-lock.json": JSON.stringify({
    packages: {
      "node_modules/dep": { version: "1.0.0", integrity: "sha512-one" },
      "node_modules/deep": { version: "3.0.0", integrity: "sha512-deep" }
    }
  }),
  "node_modules/dep/package.json":
    '{ "name": "dep", "version": "1.0.0", "type": "module", "main": "index.js",' +
    ' "dependencies": { "deep": "3" }, "peerDependencies": { "peer": "1" } }',
  "node_modules/dep/index.js": "export const dep = 1",
  "node_modules/deep/package.json": '{ "name": "deep", "version": "3.0.0" }',
  "node_modules/peer/package.json": '{ "name": "peer", "version": "1.0.0" }',
  "node_modules/idle/package.json": '{ "name": "idle", "version": "1.0.0" }',
  "lib/workflow/Stage.ts":
    'import { brand } from "./brand.ts"\n' +
    "export const make = (stageName: string, run: unknown) => ({ stageName, run, brand })",
  "lib/workflow/brand.ts": "export const brand = 1",
  "stages/train.ts":
    'import { make } from "../lib/workflow/Stage.ts"\n' +
    'export const train = make("train", () => import("./train.run.ts"))',
  "stages/train.run.ts": [
    'import { dep } from "dep"',
    'import { readFileSync } from "node:fs"',
    'import type { Shape } from "../lib/shapes.ts"',
    'import { loadModel } from "../lib/models.ts"',
    'import { loss } from "../lib/loss.ts"',
    "export const run = (shape: Shape) => [loss(shape), dep, readFileSync, loadModel]"
  ].join("\n"),
  "lib/shapes.ts": "export interface Shape { readonly rows: number }\nexport const rank = 1",
  "lib/loss.ts":
    'import { half } from "./half.ts"\n/** Doc. */\n' +
    "export const loss = (shape: { rows: number }) => half(shape.rows) // tail",
  "lib/half.ts": [
    'import { Effect, Schema } from "./effects.ts"',
    'import { idle } from "idle"',
    "export const half = (n: number): number => n / 2",
    'export class Odd extends Schema.TaggedError<Odd>()("Odd", { n: Schema.Number }) {}',
    "export const Params = Schema.Struct({ n: Schema.Number })",
    'export const unusedEffect = Effect.fn("unused")(function* () { return yield* idle })'
  ].join("\n"),
  "lib/effects.ts":
    "const struct = (fields: object) => fields\n" +
    "export const Schema = { Number: 1, Struct: struct, TaggedError: () => () => class {} }\n" +
    "export const Effect = { fn: () => (body: unknown) => body }",
  "lib/models.ts": [
    "const models: { readonly [name: string]: () => Promise<{ size: number }> } = {",
    '  small: () => import("./small.ts"),',
    '  "large": () => import("./large.ts")',
    "}",
    "export const loadModel = (name: string) => models[name]!()"
  ].join("\n"),
  "lib/small.ts": "export const size = 1",
  "lib/large.ts": "export const size = 100",
  "lib/unused.ts": "export const unused = 1",
  "infra/codec.ts": "export const codec = 1",
  "infra/codec/turn.c": "int turn(int x) { return -x; }"
}

export const edit = (root: string, path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

const base = temporaryFolder()
let numPackages = 0

export const emptyFolder = (): string => join(base, String(numPackages++))

export const makePackage = (): string => {
  const root = emptyFolder()
  for (const [path, text] of Object.entries(files)) edit(root, path, text)
  return root
}

/** As another process would see the package. */
export const layerOf = (root: string) =>
  codeClosureLayer({
    packageRoot: root,
    codeFolder: join(root, ".distillery/code"),
    serviceFiles: { Codec: ["infra/codec.ts"] },
    serviceFolders: { Codec: "infra/codec" }
  }).pipe(Layer.provide(hasherLayer))

export interface Asked {
  readonly services?: ReadonlyArray<string>
  /** The model that the params name. */
  readonly model?: string
}

export const codeOf = (root: string, { model = "small", services = [] }: Asked = {}) =>
  Effect.flatMap(CodeClosure, (code) =>
    code.of({ stageName: "train", resultServices: services, names: () => namesIn({ model }) })
  ).pipe(Effect.provide(layerOf(root)))

export const identityOf = (root: string, asked: Asked = {}) =>
  Effect.map(codeOf(root, asked), ({ identity }) => identity)

export const bundleOf = (root: string, model = "small") =>
  Effect.flatMap(CodeBundles, (bundles) =>
    bundles.of({ stage: { stageName: "train" } as AnyStage, params: { model }, inputs: {} })
  ).pipe(Effect.provide(layerOf(root)))
