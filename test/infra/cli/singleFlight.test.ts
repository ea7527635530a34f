/** Runs of the real program that start together on one store: every key is computed once, all exit 0. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it, onTestFinished } from "vitest"
import type { RunReport } from "../../../lib/workflow/RunReport.ts"
import { distillery, packageRoot, project, start } from "./builtProgram.ts"

writeFileSync(
  join(project, "shared.ts"),
  `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
import { Preprocess } from "${packageRoot}/stages/preprocess.ts"
const scenes = Ingest({
  params: { source: { _tag: "Scenes", seed: 7, size: 16, numTrain: 64, numTest: 16 } }, inputs: {}
})
const prepared = (size: number) => Preprocess({
  params: { height: size, width: size, channels: 3, validation: 0 }, inputs: { dataset: scenes }
})
export const pipeline = Pipeline.make("shared", "a toy", { scenes, small: prepared(8), large: prepared(16) })
`
)

const run = (store: string) =>
  distillery(["run", "./shared.ts"], {
    environment: { DISTILLERY_STORE: store, DISTILLERY_CACHE: join(project, "cache") }
  })

const reportsIn = (store: string): ReadonlyArray<RunReport> => {
  const folder = join(store, "objects", "runs", "main")
  return readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")))
}

const together = async (numRuns: number) => {
  const store = join(project, `store-${numRuns}`)
  const ended = await Promise.all(Array.from({ length: numRuns }, () => run(store)))
  for (const { code, stderr } of ended) assert.strictEqual(code, 0, stderr)
  return { reports: reportsIn(store), stderr: ended.map(({ stderr }) => stderr).join("\n") }
}

describe("runs that start together", () => {
  it.each([2, 20])(
    "%d of them compute every key once and all succeed",
    async (numRuns) => {
      const { reports, stderr } = await together(numRuns)
      assert.lengthOf(reports, numRuns)
      const jobs = reports.flatMap((report) => report.jobs)
      assert.lengthOf(new Set(jobs.map((job) => job.key)), 3)
      assert.lengthOf(new Set(jobs.map((job) => job.outputDigest)), 3)
      const ran = jobs.filter((job) => job.state === "ran")
      assert.sameMembers(
        ran.map((job) => job.name),
        ["scenes", "small", "large"]
      )
      assert.match(stderr, /scenes: waits for run \S+ on \S+ \(pid \d+\), computing since \d\d:\d\d, 0:\d\d/)
    },
    120_000
  )
})

describe("a job that another run computes", () => {
  it("fails with exit code 5 when it takes longer than --lease-timeout", async () => {
    const environment = {
      DISTILLERY_STORE: join(project, "store-long"),
      DISTILLERY_CACHE: join(project, "cache")
    }
    const owner = start(["run", "./long.ts"], environment)
    onTestFinished(() => void owner.kill("SIGKILL"))
    await new Promise<void>((resolve) => {
      let stderr = ""
      owner.stderr.on("data", (chunk) => {
        stderr += chunk
        if (stderr.includes("teacher: started")) resolve()
      })
    })
    const { code, stderr } = await distillery(["run", "./long.ts", "--lease-timeout", "1"], { environment })
    assert.strictEqual(code, 5, stderr)
    assert.include(stderr, `(pid ${owner.pid})`)
    assert.match(stderr, /it was waited for 1 s.*--lease-timeout/)
  }, 60_000)
})
