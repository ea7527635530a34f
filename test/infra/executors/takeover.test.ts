/**
 * Goal: what a run that died or froze had begun is gone on with by another, which waited for it, and nothing
 * is written twice. Method: real processes, SIGKILL and SIGSTOP, and a job whose output shows every step it
 * ever took.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { afterAll, assert, describe, it } from "vitest"
import type { RunReport } from "../../../lib/workflow/RunReport.ts"
import { until } from "../../support/processes.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const parentFile = new URL("../../fixtures/toy/parent.ts", import.meta.url).pathname
/** Long enough for two processes that start together to meet, however busy the machine is. */
const numSteps = 40
const millisPerStep = 50

interface Running {
  readonly parent: ChildProcess
  readonly lines: ReadonlyArray<string>
  /** Its exit code. */
  readonly ended: Promise<number | null>
}

const started: Array<ChildProcess> = []
afterAll(() => {
  for (const parent of started) parent.kill("SIGKILL")
})

const start = (folder: string, leaseMillis: number): Running => {
  const args = [parentFile, folder, numSteps, millisPerStep, leaseMillis].map(String)
  const parent = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
  started.push(parent)
  const lines: Array<string> = []
  createInterface({ input: parent.stdout! }).on("line", (line) => lines.push(line))
  return { parent, lines, ended: new Promise((resolve) => parent.on("close", resolve)) }
}

const isWaitingFor = (waiting: Running, owner: Running): boolean =>
  waiting.lines.includes(`trail waits for pid ${owner.parent.pid}`)

/** Two runs, one of which is in the middle of the job and the other waits for it. */
const startTwo = async (folder: string, leaseMillis: number) => {
  const [a, b] = [start(folder, leaseMillis), start(folder, leaseMillis)]
  await until(() => isWaitingFor(a, b) || isWaitingFor(b, a), 30_000)
  const [owner, waiting] = isWaitingFor(b, a) ? [a, b] : [b, a]
  await until(() => owner.lines.includes("step 2"))
  return { owner, waiting }
}

const reportOf = ({ lines }: Running): RunReport => JSON.parse(lines.at(-1)!) as RunReport
const trailOf = (running: Running) => reportOf(running).jobs.find((job) => job.name === "trail")!

/** The trail as it was published: the numbers of the steps, in order. */
const publishedTrail = (folder: string, { outputDigest }: { readonly outputDigest: string | null }) => {
  const objects = join(folder, "store", "objects")
  const files = readdirSync(join(objects, "manifests"), { recursive: true, withFileTypes: true })
  const manifests = files
    .filter((entry) => entry.isFile())
    .map((entry) => JSON.parse(readFileSync(join(entry.parentPath, entry.name), "utf8")).payload)
  const { output, provenance } = manifests.find((manifest) => manifest.output.digest === outputDigest)
  const hex = output.value.bytes.blob.slice("sha256:".length)
  const blob = join(objects, "blobs", "sha256", hex.slice(0, 2), hex.slice(2))
  return {
    steps: readFileSync(blob, "utf8").trim().split(" ").map(Number),
    runId: provenance.runId as string
  }
}
const allSteps = Array.from({ length: numSteps }, (_, step) => step)

describe("a run that waits", () => {
  it("takes over at once from one that is killed, and goes on from its state", async () => {
    const folder = temporaryFolder()
    // So long that only the death can have been noticed.
    const { owner, waiting } = await startTwo(folder, 600_000)
    owner.parent.kill("SIGKILL")
    assert.strictEqual(await waiting.ended, 0)
    const note = waiting.lines.find((line) => line.startsWith("taken over from run"))
    assert.include(note, `(pid ${owner.parent.pid})`)
    assert.isTrue(waiting.lines.some((line) => /goes on from step ([2-9]|\d\d)$/.test(line)))
    assert.strictEqual(trailOf(waiting).state, "ran")
    assert.deepStrictEqual(publishedTrail(folder, trailOf(waiting)).steps, allSteps)
  }, 60_000)

  it("takes over from one that is frozen, which overwrites nothing when it wakes", async () => {
    const folder = temporaryFolder()
    const { owner, waiting } = await startTwo(folder, 3_000)
    owner.parent.kill("SIGSTOP")
    assert.strictEqual(await waiting.ended, 0)
    const published = publishedTrail(folder, trailOf(waiting))
    assert.strictEqual(published.runId, reportOf(waiting).runId)
    assert.deepStrictEqual(published.steps, allSteps)
    owner.parent.kill("SIGCONT")
    assert.strictEqual(await owner.ended, 0)
    assert.deepInclude(trailOf(owner), { state: "hit", outputDigest: trailOf(waiting).outputDigest })
    assert.deepStrictEqual(publishedTrail(folder, trailOf(owner)), published)
    const left = readdirSync(join(folder, "store/objects"), { recursive: true }).map(String)
    assert.isFalse(left.some((name) => name.startsWith("resume/") && name.endsWith(".json")))
  }, 60_000)
})
