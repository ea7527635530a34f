/** esbuild's process is there while something is bundled, and not during the hours of a run. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { bundle } from "../../../infra/code/bundling.ts"
import { packageRootOf } from "../../../infra/code/packageRoot.ts"
import { until } from "../../support/processes.ts"

/** Its processes among our children, from Linux's `/proc`. */
const esbuilds = (): ReadonlyArray<string> =>
  readdirSync(`/proc/${process.pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${process.pid}/task/${task}/children`, "utf8").trim().split(" "))
    .filter((pid) => pid !== "" && existsSync(`/proc/${pid}/cmdline`))
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("esbuild"))

const children = `/proc/${process.pid}/task/${process.pid}/children`
const skipped = existsSync(children) ? "" : " (skipped: this system does not list a process's children)"

describe(`esbuild's process${skipped}`, () => {
  it.skipIf(skipped !== "")("ends soon after the last bundling, and comes back for the next", async () => {
    const file = "test/fixtures/toy/add.run.ts"
    const options = { packageRoot: packageRootOf(import.meta.url), hashed: file, executed: file }
    const before = esbuilds().length
    const first = await bundle(options)
    assert.lengthOf(esbuilds(), before + 1)
    await until(() => esbuilds().length === before, 5_000)
    const again = await Promise.all([bundle(options), bundle(options)])
    assert.deepStrictEqual(again, [first, first])
    assert.lengthOf(esbuilds(), before + 1)
    await until(() => esbuilds().length === before, 5_000)
  })
})
