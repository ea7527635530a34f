/**
 * Goal: killed anywhere, the next run goes on and reaches the same bytes. Method: real processes, real
 * SIGKILLs, and a job whose output shows every step it ever took.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { assert, describe, it } from "vitest"
import type { RunReport } from "../../../lib/workflow/RunReport.ts"
import { isAlive, until } from "../../support/processes.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const parentFile = new URL("../../fixtures/toy/parent.ts", import.meta.url).pathname
const numSteps = "10"

interface Running {
  readonly parent: ChildProcess
  readonly lines: ReadonlyArray<string>
  readonly ended: Promise<void>
}

const start = (folder: string, args: ReadonlyArray<string> = [numSteps, "40"]): Running => {
  const parent = spawn(process.execPath, [parentFile, folder, ...args], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const lines: Array<string> = []
  createInterface({ input: parent.stdout! }).on("line", (line) => lines.push(line))
  return { parent, lines, ended: new Promise((resolve) => parent.on("close", () => resolve())) }
}

/** Of the processes that ran the job, one after the other. */
const pidsOf = ({ lines }: Running): ReadonlyArray<number> =>
  lines.filter((line) => line.startsWith("pid")).map((line) => Number(line.split(" ")[1]))

const childOf = (running: Running): number => pidsOf(running)[0]!

const reportOf = async (running: Running): Promise<RunReport> => {
  await running.ended
  return JSON.parse(running.lines.at(-1)!) as RunReport
}

const trailOf = (report: RunReport) => report.jobs.find((job) => job.name === "trail")!

const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())

describe("a killed run", async () => {
  const uninterrupted = trailOf(await reportOf(start(temporaryFolder()))).outputDigest

  it("whose child is killed goes on by itself, once", async () => {
    const folder = temporaryFolder()
    const run = start(folder)
    await until(() => run.lines.includes("step 4"))
    process.kill(childOf(run), "SIGKILL")
    await until(() => pidsOf(run).length === 2)
    const report = await reportOf(run)
    assert.strictEqual(report.status, "ok")
    assert.match(run.lines.filter((line) => line.startsWith("pid"))[1]!, /goes on from step ([4-9])$/)
    assert.match(trailOf(report).notes[0]!, /^attempt 1 of 3 failed \(WorkerLost\) and was tried again after/)
    assert.strictEqual(trailOf(report).outputDigest, uninterrupted)
    assert.isFalse(filesIn(join(folder, "store/objects/resume")).length > 0)
  })

  it("whose child is killed twice keeps what is finished, and the next one goes on", async () => {
    const folder = temporaryFolder()
    const first = start(folder)
    await until(() => first.lines.includes("step 3"))
    process.kill(childOf(first), "SIGKILL")
    await until(() => pidsOf(first).length === 2)
    process.kill(pidsOf(first)[1]!, "SIGKILL")
    const report = await reportOf(first)
    assert.strictEqual(report.status, "failed")
    assert.deepInclude(trailOf(report).error, { tag: "WorkerLost" })
    assert.match(trailOf(report).error!.message, /signal SIGKILL.*goes on from its last saved state/)
    assert.deepStrictEqual(
      report.jobs.map((job) => job.state),
      ["ran", "failed"]
    )
    const second = start(folder)
    const after = await reportOf(second)
    assert.deepStrictEqual(
      after.jobs.map((job) => job.state),
      ["hit", "ran"]
    )
    assert.match(second.lines[0]!, /goes on from step ([3-9])$/)
    assert.strictEqual(trailOf(after).outputDigest, uninterrupted)
  })

  it("whose parent is killed leaves no child, and the next one goes on", async () => {
    const folder = temporaryFolder()
    const first = start(folder)
    await until(() => first.lines.includes("step 3"))
    const child = childOf(first)
    first.parent.kill("SIGKILL")
    await first.ended
    await until(() => !isAlive(child), 5000)
    const second = start(folder)
    const report = await reportOf(second)
    assert.strictEqual(report.status, "ok")
    assert.match(second.lines[0]!, /^taken over from run \S+ on \S+ \(pid \d+\)/)
    assert.match(second.lines[1]!, /goes on from step ([3-9])$/)
    assert.strictEqual(trailOf(report).outputDigest, uninterrupted)
  })
})

/** A job that computes without end: its event loop turns no more, and it has started a process itself. */
const startSpinning = async (...more: ReadonlyArray<string>) => {
  const running = start(temporaryFolder(), ["0", "0", ...more])
  const startedLine = () => running.lines.find((line) => line.startsWith("started"))
  await until(() => startedLine() !== undefined)
  return { running, pids: [childOf(running), Number(startedLine()!.split(" ")[1])] }
}

describe("a child that hears nothing", () => {
  it.each(["SIGKILL", "SIGTERM", "SIGSEGV"] as const)(
    "is gone with all it started when its parent ends by %s",
    async (signal) => {
      const { pids, running } = await startSpinning()
      assert.deepStrictEqual(pids.map(isAlive), [true, true])
      running.parent.kill(signal)
      await running.ended
      await until(() => !pids.some(isAlive), 5000)
    }
  )

  it("is killed once its time is over, and what it printed last is told", async () => {
    const { pids, running } = await startSpinning("30000", "300")
    const report = await reportOf(running)
    const { error } = trailOf(report)
    assert.deepInclude(error, { tag: "TimeLimitExceeded", logTail: ["round and round"] })
    assert.match(error!.message, /limit of 0.3 s.*did not stop when asked and was killed/)
    await until(() => !pids.some(isAlive), 5000)
  })
})
