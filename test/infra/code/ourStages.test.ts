/** The closures and bundles of the stages we ship. */
import { readdirSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { CodeBundles, codeClosureLayer } from "../../../infra/code/CodeClosure.ts"
import { packageRootOf } from "../../../infra/code/packageRoot.ts"
import { hasherLayer } from "../../../infra/hashing.ts"
import { CodeClosure, namesIn } from "../../../lib/workflow/CodeClosure.ts"
import type { AnyStage } from "../../../lib/workflow/Stage.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const packageRoot = packageRootOf(import.meta.url)
const stageNames = readdirSync(join(packageRoot, "stages"))
  .filter((file) => file.endsWith(".run.ts"))
  .map((file) => file.slice(0, -".run.ts".length))

/** Bundles import packages: these lie below the folder, as they do in a project. */
const projectFolder = temporaryFolder()
symlinkSync(join(packageRoot, "node_modules"), join(projectFolder, "node_modules"))

const code = codeClosureLayer({
  packageRoot,
  codeFolder: join(projectFolder, ".distillery/code"),
  serviceFiles: {}
}).pipe(Layer.provide(hasherLayer))

const params = { architecture: { family: "resnet" } }

const identityOf = (stageName: string) =>
  Effect.flatMap(CodeClosure, (closure) =>
    closure.of({ stageName, resultServices: [], names: () => namesIn(params) })
  ).pipe(Effect.map(({ identity }) => identity))

const loadedStage = Effect.fnUntraced(function* (stageName: string) {
  const job = { stage: { stageName } as AnyStage, params, inputs: {} }
  const { file } = yield* (yield* CodeBundles).of(job)
  const exported = yield* Effect.promise<{ readonly [name: string]: AnyStage }>(
    () => import(/* @vite-ignore */ pathToFileURL(file).href)
  )
  return Object.values(exported).find((value) => value.stageName === stageName)!
})

/** What a body asks for by this declaration is implemented by a service that changes results. */
const serviceOf: { readonly [declaration: string]: string } = {
  "lib/data/ImageCodec.ts#ImageCodec": "ImageCodec",
  "lib/tensor/Runtime.ts#TensorRuntime": "TensorRuntime"
}

describe("a stage of ours", () => {
  it("is there", () => assert.isAbove(stageNames.length, 6))

  it.layer(code)((it) => {
    it.effect.each(stageNames)("%s: its bundle loads, and its body", (stageName) =>
      Effect.gen(function* () {
        const stage = yield* loadedStage(stageName)
        const { run } = yield* Effect.promise(() => stage.run())
        assert.isFunction(run)
      })
    )

    it.effect.each(stageNames)("%s: names every service that changes its results", (stageName) =>
      Effect.gen(function* () {
        const { declarations } = yield* identityOf(stageName)
        const wanted = Object.keys(declarations).flatMap((id) => serviceOf[id] ?? [])
        const { resultServices = [] } = yield* loadedStage(stageName)
        assert.deepStrictEqual([...resultServices].sort(), wanted.sort())
      })
    )

    const models = [
      "pretrain",
      "distill",
      "transfer-detection",
      "transfer-segmentation",
      "evaluate",
      "import-model"
    ]
    it.effect.each(models)("%s: depends on the backbone that the job names, and on no other", (stageName) =>
      Effect.gen(function* () {
        const { declarations, packages } = yield* identityOf(stageName)
        const backbones = Object.keys(declarations).filter((id) => id.startsWith("lib/models/backbones/"))
        assert.deepStrictEqual(
          [...new Set(backbones.map((id) => id.split("#")[0]))],
          ["lib/models/backbones/index.ts", "lib/models/backbones/resnet.ts"]
        )
        // A new backbone adds to the list of architectures: no body may depend on that.
        assert.notInclude(Object.keys(declarations).join("\n"), "lib/models/Architecture.ts")
        assert.includeMembers(Object.keys(packages), ["@tensorflow/tfjs", "@tensorflow/tfjs-core", "effect"])
      })
    )

    it.effect("depends on nothing of the program around it", () =>
      Effect.gen(function* () {
        for (const stageName of stageNames) {
          const { declarations } = yield* identityOf(stageName)
          const around = Object.keys(declarations).filter((id) => !/^(lib|stages)\//.test(id))
          assert.deepStrictEqual(around, [])
        }
      })
    )
  })
})
