/** Schedules by the built program: adding, exporting, and schedulers that are stopped and killed. */
import type { ChildProcess } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { parse } from "yaml"
import { isAlive, until } from "../../support/processes.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { distillery, packageRoot, start } from "./builtProgram.ts"

/** Every test has a project, and with it a store, of its own. */
const projects = temporaryFolder()
const newProject = (name: string): string => {
  const folder = join(projects, name)
  mkdirSync(folder)
  return folder
}

const utc = { TZ: "UTC" }

const runIn = (
  folder: string,
  args: ReadonlyArray<string>,
  environment: { readonly [name: string]: string } = {}
) => distillery(args, { folder, environment: { ...utc, ...environment } })

/** A pipeline of one job that trains for a while, with states to resume from. */
const writePipeline = (folder: string, epochs: number): void =>
  writeFileSync(
    join(folder, "slow.ts"),
    `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
import { Preprocess } from "${packageRoot}/stages/preprocess.ts"
import { Pretrain } from "${packageRoot}/stages/pretrain.ts"
const scenes = Ingest({
  params: { source: { _tag: "Scenes", seed: 7, size: 16, numTrain: 64, numTest: 16 } }, inputs: {}
})
const prepared = Preprocess({
  params: { height: 16, width: 16, channels: 3, validation: 0 }, inputs: { dataset: scenes }
})
const teacher = Pretrain({
  params: {
    architecture: { family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" },
    training: {
      epochs: ${epochs}, batchSize: 16, learningRate: 0.05, warmupEpochs: 0, weightDecay: 0, seed: 0,
      augment: { pad: 0, flip: false }, precision: "float32"
    }
  },
  inputs: { dataset: prepared }
})
export const pipeline = Pipeline.make("slow", "a toy", { scenes, prepared, teacher })
`
  )

/** A schedule whose slots were missed: it was added long ago. */
const writeSchedule = (folder: string, cron: string): void => {
  mkdirSync(join(folder, ".distillery"), { recursive: true })
  const addedAtMillis = Date.parse("2026-01-01T00:00Z")
  const slow = { name: "slow", cron, timezone: "UTC", pipeline: "./slow.ts", set: [], addedAtMillis }
  writeFileSync(
    join(folder, ".distillery", "schedules.json"),
    JSON.stringify({ schemaVersion: 1, schedules: [slow] })
  )
}

const logOf = (folder: string): string => {
  const file = join(folder, ".distillery", "logs", "slow.log")
  return existsSync(file) ? readFileSync(file, "utf8") : ""
}

const childrenOf = (pid: number): ReadonlyArray<number> =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number)

/** All processes below one. */
const descendantsOf = (pid: number): ReadonlyArray<number> =>
  childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)])

/** Whether training has saved a state: from here on a cut run is resumed. */
const hasSaved = (folder: string): boolean => {
  const folds = join(folder, ".distillery/store/objects/folds")
  return (
    existsSync(folds) &&
    readdirSync(folds, { recursive: true }).some((f) => String(f).endsWith("pointer.json"))
  )
}

const running: Array<ChildProcess> = []
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL")
})

const startScheduler = (folder: string, ...flags: ReadonlyArray<string>) => {
  const child = start(["scheduler", ...flags], utc, folder)
  running.push(child)
  const output = { stderr: "" }
  child.stderr.on("data", (chunk) => {
    output.stderr += chunk
  })
  const ended = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)))
  return { child, pid: child.pid!, output, ended }
}

const yearly = "0 0 1 1 *"
/** Due, as it was added on the first of January at midnight, but for the day after: once. */
const onceMissed = "0 0 2 1 *"

describe("adding", () => {
  const folder = newProject("adding")
  const cases: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
    [["30 2 * *", "quickstart"], /^error: "30 2 \* \*" is no cron expression\n {2}it takes five fields/],
    [["30 2 * * *", "quickstrat"], /^error: there is no pipeline "quickstrat": did you mean "quickstart"/],
    [["@daily", "quickstart", "--timezone", "Europe/Berlni"], /did you mean "Europe\/Berlin"/],
    [["@daily", "quickstart", "--name", "a b"], /^error: "a b" is no name for a schedule/],
    [["@daily", "quickstart", "--set", "student.temprature=8"], /did you mean "temperature"/],
    [["30", "2", "1", "1", "1", "quickstart"], /A cron expression stands in quotes/]
  ]
  it.concurrent.each(cases)("%j is refused with exit code 2", async (args, message) => {
    const { code, stderr } = await runIn(folder, ["schedule", "add", ...args])
    assert.match(stderr, message)
    assert.strictEqual(code, 2)
    assert.isFalse(existsSync(join(folder, ".distillery", "schedules.json")))
  })

  it("by many processes at once loses nothing, and gives a name once", async () => {
    const many = newProject("many")
    const names = ["a", "b", "c", "d", "d", "d"]
    const ended = await Promise.all(
      names.map((name) => runIn(many, ["schedule", "add", "@daily", "quickstart", "--name", name]))
    )
    assert.deepStrictEqual(ended.map(({ code }) => code).sort(), [0, 0, 0, 0, 2, 2])
    const { stdout } = await runIn(many, ["schedule", "list", "--json"])
    const listed = JSON.parse(stdout).schedules.map(({ name }: { name: string }) => name)
    assert.sameMembers(listed, ["a", "b", "c", "d"])
  }, 60_000)
})

describe("what is added", () => {
  it("is listed, shown ahead, exported, removed", async () => {
    const folder = newProject("listed")
    const zone = ["--timezone", "Europe/Berlin"]
    await runIn(folder, ["schedule", "add", "30 2 * * *", "quickstart", "--name", "nightly", ...zone])
    await runIn(folder, ["schedule", "add", "@hourly", "quickstart", "--set", "student.temperature=8"])
    const list = await runIn(folder, ["schedule", "list"])
    assert.match(
      list.stdout,
      /^nightly +30 2 \* \* \* +quickstart +\d{4}-\d\d-\d\d 02:30 Europe\/Berlin +never$/m
    )
    const next = await runIn(folder, ["schedule", "next", "nightly", "-n", "3"])
    assert.match(
      next.stdout,
      /^(\d{4}-\d\d-\d\dT0[01]:30:00\.000Z {2}\S+ 02:30 Europe\/Berlin {2}nightly\n){3}$/
    )

    const crontab = await runIn(folder, ["schedule", "export", "crontab"])
    assert.match(crontab.stdout, /^30 \* \* \* \* cd .* scheduler --once nightly >> /m)
    assert.match(crontab.stdout, /^0 \* \* \* \* cd .* scheduler --once quickstart >> /m)
    const which = await runIn(folder, ["schedule", "export", "github"])
    assert.deepStrictEqual(
      [which.code, which.stderr.split("\n")[1]],
      [2, "  Name one of nightly, quickstart"]
    )
    const file = join(folder, ".github", "workflows", "nightly.yml")
    await runIn(folder, ["schedule", "export", "github", "nightly", "--output", file], {
      DISTILLERY_STORE: "s3://bucket/prefix"
    })
    assert.strictEqual(parse(readFileSync(file, "utf8")).jobs.run.env.DISTILLERY_STORE, "s3://bucket/prefix")

    assert.strictEqual((await runIn(folder, ["schedule", "remove", "nightly"])).code, 0)
    const gone = await runIn(folder, ["schedule", "remove", "nightly"])
    assert.deepStrictEqual([gone.code, gone.stdout], [2, ""])
    assert.strictEqual((await runIn(folder, ["schedule", "list"])).stdout.split("\n").length, 3)
  }, 60_000)
})

describe("scheduler --once", () => {
  it("runs what was missed, one time, and remembers it", async () => {
    const folder = newProject("once")
    writePipeline(folder, 1)
    writeSchedule(folder, "0 0 2 * *")
    const first = await runIn(folder, ["scheduler", "--once"])
    assert.strictEqual(first.code, 0, first.stderr + logOf(folder))
    assert.match(
      first.stderr,
      /^\S+Z slow: \d+ slots were missed since 2026-01-02 00:00 UTC; one run for all/
    )
    assert.match(first.stderr, /\n\S+Z slow: run ended after [\d.]+ s with exit code 0\n$/)
    assert.match(logOf(folder), /^✓ teacher +ran in/m)
    const second = await runIn(folder, ["scheduler", "--once", "slow"])
    assert.deepStrictEqual([second.code, second.stderr], [0, ""])
    const { stdout } = await runIn(folder, ["schedule", "list", "--json"])
    assert.strictEqual(JSON.parse(stdout).schedules[0].lastRun.exitCode, 0)
  }, 60_000)

  it("has the exit code of the run that failed", async () => {
    const folder = newProject("failing")
    writeSchedule(folder, yearly)
    writeFileSync(join(folder, "slow.ts"), "export const pipeline = 1")
    const { code, stderr } = await runIn(folder, ["scheduler", "--once"])
    // Added on the first of January at midnight: that slot does not count.
    assert.deepStrictEqual([code, stderr], [0, ""])
    writeSchedule(folder, onceMissed)
    assert.strictEqual((await runIn(folder, ["scheduler", "--once"])).code, 2)
    assert.match(logOf(folder), /^error: \.\/slow\.ts exports no pipeline$/m)
    assert.strictEqual((await runIn(folder, ["scheduler", "--once", "slwo"])).code, 2)
  }, 60_000)
})

describe.skipIf(!existsSync("/proc/self/task"))("a scheduler (needs /proc)", () => {
  it("is alone in its project, stops its runs when it is stopped, and goes on with them later", async () => {
    const folder = newProject("stopped")
    writePipeline(folder, 5000)
    writeSchedule(folder, onceMissed)
    const first = startScheduler(folder)
    await until(() => hasSaved(folder), 40_000)
    const second = await runIn(folder, ["scheduler"])
    assert.strictEqual(second.code, 2)
    assert.include(second.stderr, `a scheduler runs in this project already: process ${first.pid}`)
    const once = await runIn(folder, ["scheduler", "--once"])
    assert.deepStrictEqual(
      [once.code, once.stderr.slice(21)],
      [0, `slow: skipped, process ${first.pid} still runs it\n`]
    )

    const below = descendantsOf(first.pid)
    assert.isAtLeast(below.length, 2)
    first.child.kill("SIGTERM")
    assert.strictEqual(await first.ended, 143)
    // The guard of a run sees its end when the run has ended.
    await until(() => !below.some(isAlive), 5_000)
    assert.match(
      first.output.stderr,
      /stopping: runs end at their next step.*\n\S+ slow: run stopped; .*\n\S+ scheduler stopped\n$/
    )

    writePipeline(folder, 1)
    const third = await runIn(folder, ["scheduler", "--once"])
    assert.match(third.stderr, /slow: the slot of 2026-01-02 00:00 UTC was missed; its run started late/)
    assert.strictEqual(third.code, 0)
  }, 90_000)

  it("with --once stops its runs, too", async () => {
    const folder = newProject("stopped-once")
    writePipeline(folder, 5000)
    writeSchedule(folder, onceMissed)
    const once = startScheduler(folder, "--once")
    await until(() => hasSaved(folder), 40_000)
    const below = descendantsOf(once.pid)
    once.child.kill("SIGTERM")
    assert.strictEqual(await once.ended, 143)
    // The guard of a run sees its end when the run has ended.
    await until(() => !below.some(isAlive), 5_000)
    assert.match(logOf(folder), /^■ teacher +stopped after .*, its state is kept$/m)
  }, 90_000)

  it("that is killed leaves no process, and the run that it cut is made once", async () => {
    const folder = newProject("killed")
    writePipeline(folder, 60)
    writeSchedule(folder, onceMissed)
    const first = startScheduler(folder)
    await until(() => hasSaved(folder), 40_000)
    const below = descendantsOf(first.pid)
    first.child.kill("SIGKILL")
    assert.strictEqual(await first.ended, null)
    await until(() => !below.some(isAlive))

    const second = startScheduler(folder)
    await until(() => second.output.stderr.includes("exit code"), 90_000)
    assert.match(second.output.stderr, /slow: run ended after [\d.]+ s with exit code 0\n/)
    assert.match(logOf(folder), /teacher: resumes after epoch \d+/)
    second.child.kill("SIGINT")
    assert.strictEqual(await second.ended, 130)
    assert.lengthOf(second.output.stderr.match(/started late/g) ?? [], 1)
    assert.strictEqual((await runIn(folder, ["scheduler", "--once"])).stderr, "")
  }, 120_000)
})

describe("on GitHub", () => {
  it("a run writes its summary, and a run that fails annotates", async () => {
    const summaryFile = join(projects, "summary.md")
    const environment = { GITHUB_ACTIONS: "true", GITHUB_STEP_SUMMARY: summaryFile }
    const good = await distillery(["run", "toy.ts", "--json"], { environment })
    assert.strictEqual(good.code, 0, good.stderr)
    assert.match(readFileSync(summaryFile, "utf8"), /^### ✅ toy\n\n4 jobs in .*\n\n\| model \| top-1 /)
    assert.notInclude(good.stderr, "::error")
    const bad = await distillery(["run", "broken.ts"], { environment })
    assert.strictEqual(bad.code, 1)
    assert.match(bad.stderr, /^::error title=broken%3A missing \(ingest\) failed::.*nowhere/m)
    assert.match(readFileSync(summaryFile, "utf8"), /### ❌ broken\n/)
    const unknown = await distillery(["run", "quickstrat"], { environment })
    assert.match(unknown.stderr, /^::error title=distillery run failed::there is no pipeline "quickstrat"/m)
    const elsewhere = await distillery(["run", "quickstrat"])
    assert.notInclude(elsewhere.stderr, "::error")
  }, 60_000)
})
