/** The package as it would be published: what is in it, how it resolves, what its types promise. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { assert, beforeAll, describe, inject, it } from "vitest"
import packageJson from "../package.json" with { type: "json" }
import { call, packageRoot } from "./support/packedPackage.ts"
import { temporaryFolder } from "./support/temporaryFolder.ts"

const tarball = inject("tarball")

describe("the tarball", () => {
  it("holds what is run, hashed and read, and nothing that only we need", async () => {
    const { stdout } = await call(packageRoot, ["tar", "-tzf", tarball])
    const files = stdout.trim().split("\n")
    const tops = new Set(files.map((file) => file.split("/")[1]!))
    assert.sameMembers(
      [...tops],
      [
        ...["package.json", "README.md", "LICENSE", "CHANGELOG.md"],
        ...["dist", "stages", "lib", "pipelines", "infra"]
      ]
    )
    for (const file of ["dist/main.js", "dist/child.js", "stages/pretrain.run.ts"]) {
      assert.include(files, `package/${file}`)
    }
  })

  it("has an entry for every stage", () => {
    const contracts = readdirSync(join(packageRoot, "stages")).filter(
      (file) => !file.endsWith(".run.ts") && !["preparing-keeper.ts", "trained-weights.ts"].includes(file)
    )
    const stages = Object.keys(packageJson.exports).filter((path) => path.startsWith("./stages/"))
    assert.sameMembers(
      stages,
      contracts.map((file) => `./stages/${basename(file, ".ts")}`)
    )
  })

  it("is clean for publint", async () => {
    const { buffer, byteLength, byteOffset } = readFileSync(tarball)
    const { messages } = await publint({
      strict: true,
      pack: { tarball: buffer.slice(byteOffset, byteOffset + byteLength) }
    })
    assert.deepStrictEqual(
      messages.map((message) => formatMessage(message, packageJson)),
      []
    )
  }, 60_000)

  /** ES modules only: `require` finds them from Node 22.12 on, and resolvers older than `exports` never. */
  it("is clean for arethetypeswrong, of all resolutions that know ES modules", async () => {
    const checked = await checkPackage(createPackageFromTarballData(readFileSync(tarball)))
    assert.isNotFalse(checked.types)
    const problems = "problems" in checked ? checked.problems : []
    const found = problems.filter(
      (problem) => !("resolutionKind" in problem && ["node10", "node16-cjs"].includes(problem.resolutionKind))
    )
    assert.deepStrictEqual(found, [])
    assert.sameMembers(
      "entrypoints" in checked ? Object.keys(checked.entrypoints) : [],
      Object.keys(packageJson.exports)
    )
  }, 60_000)
})

/** A project beside the unpacked package, which finds the packages it needs among ours. */
const project = temporaryFolder()

/** Stands before a line that must not compile. */
const mark = "// refused:"

const source = `import { Artifact, BlobStore, Pipeline, Stage } from "distillery"
import { blobsOfSplit, decodeLabelledImages } from "distillery/data"
import { PreparedDataset } from "distillery/stages/artifacts"
import { Evaluate } from "distillery/stages/evaluate"
import { Ingest } from "distillery/stages/ingest"
import { Preprocess } from "distillery/stages/preprocess"
import { Pretrain } from "distillery/stages/pretrain"
import { TransferDetection } from "distillery/stages/transfer-detection"
import { Effect, Schema } from "effect"

const images = Ingest({ params: { source: { _tag: "ImageFolder", path: "images" } }, inputs: {} })
const prepared = Preprocess({ params: { height: 32, width: 32, channels: 3 }, inputs: { dataset: images } })
const architecture = { family: "resnet", depth: 10, width: 8 } as const
const training = { epochs: 2 }
const model = Pretrain({ params: { architecture, training }, inputs: { dataset: prepared } })
const scores = Evaluate({ params: {}, inputs: { model, dataset: prepared } })

const Count = Artifact.type("count", Schema.Struct({ count: Schema.Int }))
const inputs = { dataset: PreparedDataset.classification }
const CountImages = Stage.make("count-images", {
  params: Schema.Struct({}),
  inputs,
  output: Count,
  run: () =>
    Promise.resolve({
      run: Effect.fn("count-images")(function* (args: { readonly inputs: Stage.ValuesOf<typeof inputs> }) {
        const bytes = yield* (yield* BlobStore).get(blobsOfSplit(args.inputs.dataset.train)[0]!)
        return { count: (yield* decodeLabelledImages(bytes)).labels.length }
      })
    })
})
const count = CountImages({ params: {}, inputs: { dataset: prepared } })
export const pipeline = Pipeline.make("mine", "a toy", { images, prepared, model, scores, count })

export const wrong = () => [
  // refused: a checkpoint is no dataset
  Pretrain({ params: { architecture, training }, inputs: { dataset: model } }),
  // refused: images that are not prepared
  CountImages({ params: {}, inputs: { dataset: images } }),
  // refused: a number is not what the stage makes
  CountImages({ params: {}, inputs: { dataset: prepared } }) satisfies Artifact.ArtifactRef<number>,
  Pretrain({
    // refused: no such backbone
    params: { architecture: { family: "resnet51", depth: 10, width: 8 }, training },
    inputs: { dataset: prepared }
  }),
  // refused: classes are no boxes
  TransferDetection({ params: { training }, inputs: { dataset: prepared, classifier: model } }),
  // refused: boxes are no classes
  Pretrain({ params: { architecture, training }, inputs: { dataset: boxes } })
]
const boxes = Preprocess({
  params: { height: 32, width: 32, channels: 3 },
  inputs: {
    dataset: Ingest({
      params: { source: { _tag: "Scenes", task: "detection", numTrain: 8, numTest: 8 } },
      inputs: {}
    })
  }
})
`

const compilerOptions = {
  ...{ target: "ES2024", module: "NodeNext", strict: true, noEmit: true, types: [], skipLibCheck: false },
  ...{ exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, verbatimModuleSyntax: true }
}

describe("a project's own pipeline", () => {
  beforeAll(async () => {
    const modules = join(project, "node_modules")
    mkdirSync(join(modules, "distillery"), { recursive: true })
    const unpack = ["-xzf", tarball, "--strip-components=1", "-C", join(modules, "distillery")] as const
    assert.strictEqual((await call(project, ["tar", ...unpack])).code, 0)
    for (const name of ["effect", "@tensorflow"]) {
      symlinkSync(join(packageRoot, "node_modules", name), join(modules, name))
    }
    writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }))
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions }))
    writeFileSync(join(project, "pipeline.ts"), source)
  })

  it("compiles where it makes sense and does not where it makes none", async () => {
    const { stdout } = await call(project, ["tsc", "-p", "."])
    const errors = stdout.split("\n").filter((line) => line.includes("error TS"))
    const refused = errors.map((line) => Number(/^pipeline\.ts\((\d+)/.exec(line)?.[1]))
    const marked = source.split("\n").flatMap((line, at) => (line.includes(mark) ? [at + 2] : []))
    // Declarations of tfjs itself do not hold without skipLibCheck.
    const others = errors.filter((line) => !/^(pipeline\.ts|\S*@tensorflow)/.test(line))
    assert.deepStrictEqual(others, [])
    assert.deepStrictEqual([...new Set(refused.filter((line) => line > 0))], marked)
  }, 90_000)

  it("loads neither tensors nor the file system's modules", async () => {
    const look = `const { registerHooks } = await import("node:module")
const loaded = []
registerHooks({ resolve: (name, context, next) => (loaded.push(name), next(name, context)) })
const { pipeline } = await import("./pipeline.ts")
console.log(JSON.stringify({ jobs: pipeline.jobs.length, loaded }))`
    const { stderr, stdout } = await call(project, ["node", "--input-type=module", "-e", look])
    const { jobs, loaded } = JSON.parse(stdout || `{"stderr": ${JSON.stringify(stderr)}}`)
    assert.strictEqual(jobs, 5)
    assert.deepStrictEqual(
      loaded.filter((name: string) => /^(@tensorflow|sharp|koffi|node:)/.test(name)),
      []
    )
  })
})
