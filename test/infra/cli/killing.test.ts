/** Killed with SIGKILL while the real stages train: the next run goes on, and reaches the same bytes. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { distillery, project, start } from "./builtProgram.ts"

const run = ["run", "./killed.ts", "--json"]
const storeOf = (name: string) => ({ DISTILLERY_STORE: join(project, `store-${name}`) })

/** Digests of what each job made, from the record of the run in the store. */
const outputsIn = (store: string, stdout: string) => {
  const { runId } = JSON.parse(stdout)
  const record = JSON.parse(readFileSync(join(store, "objects", "runs", `${runId}.json`), "utf8"))
  return Object.fromEntries(
    record.jobs.map((job: { name: string; outputDigest: string }) => [job.name, job.outputDigest])
  )
}

/** The process that runs the job: the child of ours that is no helper of the bundler. */
const jobProcessOf = (pid: number): number => {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number)
  const found = children.find((child) => readFileSync(`/proc/${child}/cmdline`, "utf8").includes("child.js"))
  if (found === undefined) throw new Error("no job is running")
  return found
}

/** The states saved to resume from, by name. */
const savedIn = (store: string): string => {
  const folder = join(store, "objects", "resume")
  return existsSync(folder) ? readdirSync(folder, { recursive: true }).join(" ") : ""
}

/**
 * Starts the pipeline, waits until the teacher has saved a state, kills `victim`, resolves when it is over.
 */
const killedInTheMiddle = (environment: { readonly DISTILLERY_STORE: string }, victim: "parent" | "job") =>
  new Promise<{ readonly code: number | null; readonly job: number }>((resolve, reject) => {
    const before = savedIn(environment.DISTILLERY_STORE)
    const program = start(run, environment)
    let job: number | undefined
    const watch = setInterval(() => {
      if (savedIn(environment.DISTILLERY_STORE) === before) return
      clearInterval(watch)
      job = jobProcessOf(program.pid!)
      process.kill(victim === "job" ? job : program.pid!, "SIGKILL")
    }, 10)
    program.on("close", (code) => {
      clearInterval(watch)
      if (job === undefined) reject(new Error(`it ended with ${code} before it was killed`))
      else resolve({ code, job })
    })
  })

const gone = async (pid: number): Promise<boolean> => {
  for (let i = 0; i < 100 && existsSync(`/proc/${pid}`); i++)
    await new Promise((done) => setTimeout(done, 50))
  return !existsSync(`/proc/${pid}`)
}

describe.skipIf(!existsSync("/proc/self/task"))("kill -9 (needs /proc)", () => {
  it("of the job, then of the whole run: it resumes, with the digests of an uninterrupted run", async () => {
    const whole = await distillery(run, { environment: storeOf("whole") })
    assert.strictEqual(whole.code, 0, whole.stderr)

    const environment = storeOf("killed")
    const first = await killedInTheMiddle(environment, "job")
    assert.strictEqual(first.code, 1)
    const second = await killedInTheMiddle(environment, "parent")
    assert.isTrue(await gone(second.job), "the job's process outlives its parent")

    const last = await distillery(run, { environment })
    assert.strictEqual(last.code, 0, last.stderr)
    assert.match(last.stderr, /resumes after epoch [1-9]/)
    assert.deepStrictEqual(
      outputsIn(environment.DISTILLERY_STORE, last.stdout),
      outputsIn(storeOf("whole").DISTILLERY_STORE, whole.stdout)
    )
  }, 60_000)
})
