/** What a run did: read back, followed while it goes on, and what a killed one leaves. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { sleep, until } from "../../support/processes.ts"
import { distillery, project, start } from "./builtProgram.ts"

const logs = join(project, ".distillery", "logs", "runs")
const latestLog = (): string => readFileSync(join(logs, readdirSync(logs).sort().at(-1)!), "utf8")

describe("log", () => {
  it("where nothing ran yet says how to begin", async () => {
    const { code, stderr } = await distillery(["log"])
    assert.strictEqual(code, 2)
    assert.match(stderr, /^error: no run is known here yet\n {2}Start one: npx distillery run/)
    assert.deepStrictEqual(JSON.parse((await distillery(["log", "--list", "--json"])).stdout), {
      schemaVersion: 1,
      runs: []
    })
  })

  it("shows the latest run job by job, or one of its jobs", async () => {
    assert.strictEqual((await distillery(["run", "toy.ts"])).code, 0)
    const shown = await distillery(["log"])
    assert.strictEqual(shown.code, 0, shown.stderr)
    assert.match(
      shown.stdout,
      /^run \d{8}-\d{6}-[0-9a-f]{6} of toy: ok\nstarted at .* by process \d+ on .*\n\n/
    )
    assert.match(
      shown.stdout,
      /^✓ scenes +ran in .*\n {4}\d\d:\d\d:\d\d {2}train +100 % {2}64 of 64 images$/m
    )
    assert.match(shown.stdout, /^✓ teacher +ran in/m)
    const one = await distillery(["log", "latest", "--job", "scenes"])
    assert.notInclude(one.stdout, "teacher")
    const wrong = await distillery(["log", "--job", "sceens"])
    assert.deepStrictEqual([wrong.code, wrong.stdout], [2, ""])
    assert.match(wrong.stderr, /has no job "sceens": did you mean "scenes"\?/)
  }, 60_000)

  it("takes ids, beginnings of ids, and how many runs back", async () => {
    await distillery(["run", "toy.ts", "--quiet"])
    const { runs } = JSON.parse((await distillery(["log", "--list", "--json"])).stdout)
    const [second, first] = runs.map((run: { runId: string }) => run.runId) as [string, string]
    const runIdOf = async (name: string) =>
      JSON.parse((await distillery(["log", name, "--json"])).stdout).runId
    assert.strictEqual(await runIdOf("latest"), second)
    assert.strictEqual(await runIdOf("latest~1"), first)
    assert.strictEqual(await runIdOf(first.slice(-6)), first)
    assert.strictEqual(await runIdOf(first.slice(0, -1)), first)
    const many = await distillery(["log", first.slice(0, 4)])
    assert.match(many.stderr, /^error: "\d{4}" may be any of 2 runs: /)
    const none = await distillery(["log", "latest~2"])
    assert.match(none.stderr, /^error: latest~2 goes too far back: there are 2 runs\n/)
    const unknown = await distillery(["log", "yesterday"])
    assert.match(unknown.stderr, /^error: there is no run "yesterday"\n {2}The latest are /)
    assert.deepStrictEqual([many.code, none.code, unknown.code], [2, 2, 2])
  }, 30_000)

  it("--json is one document; a closed pipe is no error", async () => {
    const { status, events, jobs } = JSON.parse((await distillery(["log", "--json"])).stdout)
    assert.strictEqual(status, "ok")
    assert.deepStrictEqual(
      jobs.map((job: { name: string; state: string }) => job.state),
      ["hit", "hit", "hit", "hit"]
    )
    assert.include(
      events.map((event: { _tag: string }) => event._tag),
      "JobHit"
    )
    const piped = await distillery(["log", "--json"], { closeStdout: true })
    assert.deepStrictEqual([piped.code, piped.stderr], [0, ""])
  })

  it("keeps what a job that fails says", async () => {
    await distillery(["run", "./broken.ts"])
    const { stdout } = await distillery(["log"])
    assert.match(stdout, /of broken: failed/)
    assert.match(stdout, /^✗ missing +failed after .*\n {4}.*\/nowhere/m)
  }, 30_000)
})

describe("log --follow", () => {
  it("tells what happens in another process, and that it was killed", async () => {
    const run = start(["run", "./long.ts"])
    let told = ""
    run.stderr.on("data", (chunk) => {
      told += chunk
    })
    await until(() => told.includes("teacher: epoch"))
    const follower = distillery(["log", "--follow", "--job", "teacher"])
    await sleep(700)
    run.kill("SIGKILL")
    const { code, stderr, stdout } = await follower
    assert.strictEqual(code, 0)
    assert.match(stdout, /^run .* of long, /)
    assert.match(
      stdout,
      /^\d\d:\d\d:\d\d {2}teacher: started \(pretrain\)\n\d\d:\d\d:\d\d {2}teacher: epoch/m
    )
    assert.notInclude(stdout, "scenes")
    assert.match(stderr, /^the run was killed: its process is gone/)
    const later = await distillery(["log"])
    assert.match(later.stdout, /^run .* of long: killed\n/)
    assert.match(later.stdout, /^✗ teacher +ended with its process, started at/m)
    assert.isTrue(latestLog().endsWith("\n"))
  }, 60_000)

  it("ends with the run; with --json each line is an event", async () => {
    const run = start(["run", "./long.ts"])
    let told = ""
    run.stderr.on("data", (chunk) => {
      told += chunk
    })
    await until(() => told.includes("teacher: epoch"))
    const follower = distillery(["log", "-f", "--json"])
    await sleep(700)
    run.kill("SIGTERM")
    const { code, stderr, stdout } = await follower
    assert.deepStrictEqual([code, stderr], [0, "the run ended: stopped\n"])
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
    assert.strictEqual(events[0]._tag, "RunStarted")
    assert.deepInclude(events.at(-1), { _tag: "RunFinished", status: "stopped" })
  }, 60_000)
})
