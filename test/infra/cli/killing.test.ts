/** Killed with SIGKILL while the real stages train: the next run goes on, and reaches the same bytes. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { distillery, packageRoot, project, start } from "./builtProgram.ts"

const run = ["run", "./tiny.ts", "--json"]
const storeOf = (name: string) => ({
  DISTILLERY_CACHE: join(project, "cache"),
  DISTILLERY_STORE: join(project, `store-${name}`)
})

/** Three epochs of twelve steps: long enough to be met between the first save and the end. */
writeFileSync(
  join(project, "tiny.ts"),
  `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
import { Preprocess } from "${packageRoot}/stages/preprocess.ts"
import { Pretrain } from "${packageRoot}/stages/pretrain.ts"
const scenes = Ingest({
  params: { source: { _tag: "Scenes", seed: 7, size: 32, numTrain: 200, numTest: 16 } }, inputs: {}
})
const prepared = Preprocess({
  params: { height: 32, width: 32, channels: 3, validation: 0 }, inputs: { dataset: scenes }
})
const teacher = Pretrain({
  params: {
    architecture: { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" },
    training: {
      epochs: 3, batchSize: 16, learningRate: 0.05, warmupEpochs: 0, weightDecay: 0, seed: 0,
      augment: { pad: 2, flip: true }, precision: "float32"
    }
  },
  inputs: { dataset: prepared }
})
export const pipeline = Pipeline.make("tiny", "a toy", { scenes, prepared, teacher })
`
)

/** Digests of what each job made, from the record of the run in the store. */
const outputsIn = (store: string, stdout: string) => {
  const { runId } = JSON.parse(stdout)
  const record = JSON.parse(readFileSync(join(store, "objects", "runs", "main", `${runId}.json`), "utf8"))
  return Object.fromEntries(
    record.jobs.map((job: { name: string; outputDigest: string }) => [job.name, job.outputDigest])
  )
}

/** The process that runs the job: the youngest child; older ones may wait, or help the bundler. */
const jobProcessOf = (pid: number): number => {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number)
  const found = children.findLast((child) =>
    readFileSync(`/proc/${child}/cmdline`, "utf8").includes("child.js")
  )
  if (found === undefined) throw new Error("no job is running")
  return found
}

/** Whether the state of an epoch is saved: its pointer is written last, a state without one is not used. */
const hasSaved = (store: string): boolean => {
  const folder = join(store, "objects", "folds")
  if (!existsSync(folder)) return false
  return readdirSync(folder, { recursive: true }).some((name) => String(name).endsWith("pointer.json"))
}

interface Killed {
  readonly code: number | null
  readonly job: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * Starts the pipeline, waits until the teacher has saved a state, kills `victim`, resolves when it is over.
 */
const killedInTheMiddle = (environment: { readonly DISTILLERY_STORE: string }, victim: "parent" | "job") =>
  new Promise<Killed>((resolve, reject) => {
    const program = start(run, environment)
    const written = { stdout: "", stderr: "" }
    for (const stream of ["stdout", "stderr"] as const)
      program[stream].on("data", (chunk) => {
        written[stream] += chunk
      })
    let job: number | undefined
    const watch = setInterval(() => {
      if (!hasSaved(environment.DISTILLERY_STORE)) return
      clearInterval(watch)
      job = jobProcessOf(program.pid!)
      process.kill(victim === "job" ? job : program.pid!, "SIGKILL")
    }, 10)
    program.on("close", (code) => {
      clearInterval(watch)
      if (job === undefined) reject(new Error(`it ended with ${code} before it was killed`))
      else resolve({ code, job, ...written })
    })
  })

const gone = async (pid: number): Promise<boolean> => {
  for (let i = 0; i < 100 && existsSync(`/proc/${pid}`); i++)
    await new Promise((done) => setTimeout(done, 50))
  return !existsSync(`/proc/${pid}`)
}

describe.skipIf(!existsSync("/proc/self/task"))("kill -9 (needs /proc)", () => {
  let whole: ReturnType<typeof outputsIn>

  beforeAll(async () => {
    const { code, stderr, stdout } = await distillery(run, { environment: storeOf("whole") })
    assert.strictEqual(code, 0, stderr)
    assert.notMatch(stderr, /resumes/)
    whole = outputsIn(storeOf("whole").DISTILLERY_STORE, stdout)
    assert.match(whole.teacher ?? "", /^sha256:[0-9a-f]{64}$/)
  }, 60_000)

  const assertResumed = (store: string, { code, stderr, stdout }: Omit<Killed, "job">) => {
    assert.strictEqual(code, 0, stderr)
    assert.match(stderr, /resumes after epoch [12]\b/)
    assert.strictEqual(outputsIn(store, stdout).teacher, whole.teacher)
    return JSON.parse(stdout).jobs.map((job: { state: string }) => job.state)
  }

  it("of the job: the run goes on by itself, resumes and ends with the same digests", async () => {
    const environment = storeOf("job")
    const killed = await killedInTheMiddle(environment, "job")
    assert.match(killed.stderr, /^↻ teacher +attempt 1 of 3 failed, tries again in .*signal SIGKILL/m)
    assert.deepStrictEqual(assertResumed(environment.DISTILLERY_STORE, killed), ["ran", "ran", "ran"])
  }, 60_000)

  it("of the parent: no process is left, the next run resumes and ends with the same digests", async () => {
    const environment = storeOf("parent")
    const killed = await killedInTheMiddle(environment, "parent")
    assert.isNull(killed.code)
    assert.isTrue(await gone(killed.job), "the job's process is still there")
    const next = await distillery(run, { environment })
    assert.deepStrictEqual(assertResumed(environment.DISTILLERY_STORE, next), ["hit", "hit", "ran"])
  }, 60_000)
})
