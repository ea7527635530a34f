/** Modules of the user's and the program that loads them share one copy of Effect. */
import { existsSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { built, distillery, packageRoot, project } from "./builtProgram.ts"

const pipelineThat = (name: string, imports: string, checks: string): void =>
  writeFileSync(
    join(project, `${name}.ts`),
    `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
${imports}
const source = { _tag: "Scenes", seed: 7, size: 16, numTrain: 64, numTest: 16 } as const
if (!(${checks})) throw new Error("another copy of Effect")
const scenes = Ingest({ params: { source }, inputs: {} })
export const pipeline = Pipeline.make("${name}", "a toy", { scenes })
`
  )

describe("a pipeline of the user's own", () => {
  it("finds each of Effect's modules once, by whatever name", async () => {
    pipelineThat(
      "imports",
      `import { Schema } from "effect"
import * as Again from "effect/Schema"
import { Struct } from "effect/Schema"`,
      "Schema.Struct === Struct && Again.Void === Schema.Void"
    )
    pipelineThat("outside", "", 'import.meta.resolve("effect").endsWith("/dist/index.js")')
    const { code, stderr } = await distillery(["plan", "./imports.ts"])
    assert.strictEqual(code, 0, stderr)
    const installed = await distillery(["plan", "./outside.ts"])
    assert.match(installed.stderr, /another copy of Effect/)
    const given = readdirSync(join(built, "effect"))
    const modules = readdirSync(join(packageRoot, "node_modules/effect/dist"))
    assert.deepStrictEqual(
      given.sort(),
      modules.filter((file) => file.endsWith(".js"))
    )
  })

  it("has its compiled code kept in the user's cache", async () => {
    const cache = temporaryFolder()
    await distillery(["list"], { environment: { DISTILLERY_CACHE: cache } })
    assert.isAbove(readdirSync(join(cache, "compiled")).length, 0)
    assert.isFalse(existsSync(join(project, ".cache")))
  })

  it("starts where no cache can be kept", async () => {
    const { code, stderr } = await distillery(["list"], {
      environment: { DISTILLERY_CACHE: "/dev/null/none" }
    })
    assert.deepStrictEqual([code, stderr], [0, ""])
  })
})
