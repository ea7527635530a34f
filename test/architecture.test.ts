/**
 * The architecture, as a test: who may import whom, how long a file may be, which words mean what.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { basename, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import {
  cycles,
  importViolations,
  purityViolations,
  sizeViolations,
  wordViolations
} from "./support/sourceRules.ts"

const root = join(import.meta.dirname, "..")

const filesBelow = (folder: string): ReadonlyArray<string> =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .map((file) => `${folder}/${file}`)
        .sort()
    : []

const read = (files: ReadonlyArray<string>) =>
  new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]))
const sources = read(["pipelines", "stages", "lib", "infra"].flatMap(filesBelow))
const everything = read(["pipelines", "stages", "lib", "infra", "test"].flatMap(filesBelow))

const violations = (
  files: ReadonlyMap<string, string>,
  rule: (file: string, source: string) => ReadonlyArray<string>
) => [...files].flatMap(([file, source]) => rule(file, source))

/** Not stages: what passes between them, and the end that training stages share. */
const sharedByStages = ["stages/artifacts.ts", "stages/preparing-keeper.ts", "stages/trained-weights.ts"]

describe("the architecture", () => {
  it("finds the source files", () => assert.isAbove(sources.size, 40))
  it("keeps the import directions", () => assert.deepStrictEqual(violations(sources, importViolations), []))
  it("has no import cycles", () => assert.deepStrictEqual(cycles(sources), []))
  it("keeps files, functions and lines short", () =>
    assert.deepStrictEqual(violations(everything, sizeViolations), []))
  it("keeps the kernels in C short", () => {
    const folder = "infra/tensorflow/cpu"
    const kernels = readdirSync(join(root, folder)).map((file) => `${folder}/${file}`)
    assert.isAbove(kernels.length, 10)
    const tooLong = kernels.flatMap((file) => {
      const lines = readFileSync(join(root, file), "utf8").split("\n")
      const wide = lines.findIndex((line) => line.length > 110)
      return [
        ...(lines.length > 400 ? [`${file} has ${lines.length} lines`] : []),
        ...(wide >= 0 ? [`${file}:${wide + 1} has ${lines[wide]!.length} characters`] : [])
      ]
    })
    assert.deepStrictEqual(tooLong, [])
  })
  it("uses the words of the field", () => assert.deepStrictEqual(violations(sources, wordViolations), []))
  it("keeps clock, chance and environment out of lib, stages and pipelines", () =>
    assert.deepStrictEqual(violations(sources, purityViolations), []))

  it("only infra/settings.ts reads the environment", () => {
    const readers = [...sources]
      .filter(([, source]) => /\bConfig\.(String|schema|all)\b/.test(source))
      .map(([file]) => file)
    assert.deepStrictEqual(readers, ["infra/settings.ts"])
  })

  it("only lib/tensor/tf.ts imports tfjs in lib", () => {
    const importers = [...sources]
      .filter(([file, source]) => file.startsWith("lib/") && /from "@tensorflow/.test(source))
      .map(([file]) => file)
    assert.deepStrictEqual(importers, ["lib/tensor/tf.ts"])
  })

  it("every stage is named for its file and loads its own body", () => {
    const contracts = [...sources].filter(
      ([file]) => /^stages\/[^.]+\.ts$/.test(file) && !sharedByStages.includes(file)
    )
    assert.isAbove(contracts.length, 4)
    for (const [file, source] of contracts) {
      const name = basename(file, ".ts")
      assert.match(source, new RegExp(`Stage\\.make\\(\\s*"${name}"`), file)
      assert.include(source, `import("./${name}.run.ts")`, file)
    }
  })
})

const topLevel = new Set([
  ...["infra", "lib", "pipelines", "stages", "test", ".ci", ".gitignore", ".npmrc", "biome.json"],
  ...["package.json", "package-lock.json", "tsconfig.json", "vitest.config.ts"],
  ...["ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "README.md"]
])
const fileBytesMax = 2 ** 20
const tracked = spawnSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" })
const noCheckout = tracked.status !== 0

describe.skipIf(noCheckout)(`the checkout${noCheckout ? " (skipped: git does not know it)" : ""}`, () => {
  const files = (tracked.stdout ?? "").split("\0").filter((file) => existsSync(join(root, file)) && file)
  it("has nothing new at the top level", () =>
    assert.deepStrictEqual(
      [...new Set(files.map((file) => file.split("/")[0]!))].sort(),
      [...topLevel].sort()
    ))
  it("holds no large file: what stays in a history is everybody's to fetch", () =>
    assert.deepStrictEqual(
      files.filter((file) => statSync(join(root, file)).size > fileBytesMax),
      []
    ))
})

describe("the rules reject", () => {
  it.each([
    ["stages/a.ts", `import { b } from "./b.ts"`],
    ["stages/a.ts", `const body = import("./b.run.ts")`],
    ["lib/workflow/Plan.ts", `import * as tf from "@tensorflow/tfjs"`],
    ["lib/train/Trainer.ts", `import * as Stage from "../workflow/Stage.ts"`],
    ["lib/data/batches.ts", `import { readFile } from "node:fs/promises"`],
    ["infra/layers.ts", `import { smoke } from "../pipelines/smoke.ts"`],
    ["pipelines/x.ts", `export { S3 } from "../infra/stores/S3ObjectStore.ts"`],
    ["lib/models/x.ts", `const name = "a"\nconst m = import(name)`],
    ["infra/stores/x.ts", `import sharp from "sharp"`],
    ["lib/nn/x.ts", `const s = import("sharp")`]
  ])("the import in %s: %s", (file, source) => assert.lengthOf(importViolations(file, source), 1))

  it("a long function, a vague file name, an impure clock, a taken word, a cycle", () => {
    const long = `const f = () => {\n${"  g()\n".repeat(80)}}`
    assert.lengthOf(sizeViolations("lib/a.ts", long), 1)
    assert.lengthOf(wordViolations("lib/utils.ts", ""), 1)
    assert.lengthOf(wordViolations("lib/nn/a.ts", "const flopsTotal = 1"), 1)
    assert.lengthOf(purityViolations("lib/a.ts", "const t = Date.now()"), 1)
    const loop = new Map([
      ["lib/a.ts", `import { b } from "./b.ts"`],
      ["lib/b.ts", `import { a } from "./a.ts"`]
    ])
    assert.deepStrictEqual(cycles(loop), ["lib/a.ts → lib/b.ts → lib/a.ts"])
  })
})

describe("the rules accept", () => {
  it.each([
    ["stages/a.ts", `import { Classifier } from "./artifacts.ts"\nimport { Effect } from "effect"`],
    ["stages/a.ts", `const body = () => import("./a.run.ts")`],
    ["lib/train/Trainer.ts", `import {\n  tf\n} from "../tensor/tf.ts"`],
    [
      "infra/stores/S3.ts",
      `import { S3Client } from "@aws-sdk/client-s3"\nimport { O } from "../../lib/storage/ObjectStore.ts"`
    ]
  ])("%s: %s", (file, source) => assert.deepStrictEqual(importViolations(file, source), []))
})
