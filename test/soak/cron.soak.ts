/**
 * The real cron daemon runs an exported line with an empty environment. Needs root and Debian's cron, and
 * takes up to a minute and a half; uses `/etc/cron.d`, and leaves everybody's crontab as it is.
 */
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { built, distillery, project } from "../infra/cli/builtProgram.ts"
import { until } from "../support/processes.ts"

const cron = spawnSync("sh", ["-c", "command -v cron"], { encoding: "utf8" }).stdout.trim()
const canRun = cron !== "" && process.getuid?.() === 0 && existsSync("/etc/cron.d")

const table = `/etc/cron.d/distillery-soak-${process.pid}`
const undo: Array<() => void> = []
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step()
})

/** A line of a user's crontab as one of `/etc/cron.d`, which names the user. */
const asRoot = (line: string): string => line.replace(/^((?:[\d*/,-]+ ){5})/, "$1root ")

describe.skipIf(!canRun)(`cron (${canRun ? "here" : "needs root and Debian's cron"})`, () => {
  it("runs an exported line to success, and again with hits only", async () => {
    // The folder that cron has to go to, and a variable that it has to carry.
    const folder = join(project, `it's 100% "here"`)
    mkdirSync(folder)
    const environment = { DISTILLERY_STORE: join(folder, "a store"), DISTILLERY_BACKEND: "portable" }
    const inFolder = (args: ReadonlyArray<string>) => distillery(args, { environment, folder })
    const added = await inFolder(["schedule", "add", "* * * * *", "../toy.ts", "--name", "tiny"])
    assert.strictEqual(added.code, 0, added.stderr)
    const { stdout } = await inFolder(["schedule", "export", "crontab"])
    assert.include(stdout, join(built, "main.js"))

    undo.push(() => rmSync(table, { force: true }))
    writeFileSync(table, stdout.split("\n").map(asRoot).join("\n"), { mode: 0o644 })
    // Ends at once where a daemon runs already, which then serves the line.
    const daemon = spawn(cron, ["-f"], { env: {}, stdio: "ignore" })
    undo.push(() => daemon.kill())

    const log = () => {
      const file = join(folder, ".distillery", "logs", "tiny.log")
      return existsSync(file) ? readFileSync(file, "utf8") : ""
    }
    await until(() => (log().match(/with exit code/g) ?? []).length > 1, 280_000)
    assert.notMatch(log(), /exit code [1-9]/)
    assert.match(log(), /^✓ teacher +ran in /m)
    assert.match(log(), /^4 jobs in .*: 4 hits$/m, log())
    assert.isTrue(existsSync(join(folder, "a store", "format.json")))
  })
})
