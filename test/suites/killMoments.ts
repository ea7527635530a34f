/**
 * SIGKILL at random moments of a training, of the program or of the process of its job: the next run
 * goes on without unlocking, trains no epoch again that was finished, and reaches the same bytes.
 */
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { RandomStream } from "../../lib/tensor/random.ts"
import { built, distillery, packageRoot, project, start } from "../infra/cli/builtProgram.ts"
import { isAlive, until } from "../support/processes.ts"
import { digestIn, epochsSeen } from "../support/trainedEpochs.ts"

const seed = 20261124
const run = ["run", "./epochs.ts", "--json"]

writeFileSync(
  join(project, "epochs.ts"),
  `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
import { Preprocess } from "${packageRoot}/stages/preprocess.ts"
import { Pretrain } from "${packageRoot}/stages/pretrain.ts"
const scenes = Ingest({
  params: { source: { _tag: "Scenes", seed: 7, size: 24, numTrain: 160, numTest: 16 } }, inputs: {}
})
const prepared = Preprocess({
  params: { height: 24, width: 24, channels: 3, validation: 0 }, inputs: { dataset: scenes }
})
const teacher = Pretrain({
  params: {
    architecture: { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" },
    training: {
      epochs: 6, batchSize: 16, learningRate: 0.05, warmupEpochs: 0, weightDecay: 0, seed: 0,
      augment: { pad: 2, flip: true }, precision: "float32"
    }
  },
  inputs: { dataset: prepared }
})
export const pipeline = Pipeline.make("epochs", "a toy", { scenes, prepared, teacher })
`
)

/** A project folder of its own, so that the runs of one moment have event logs and a store of their own. */
const folderOf = (name: string): string => join(project, `moments-${name}`)
const environment = { DISTILLERY_CACHE: join(project, "cache") }

const childrenOf = (pid: number): ReadonlyArray<number> =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .trim()
    .split(" ")
    .map(Number)
    .filter((child) => child > 0 && readFileSync(`/proc/${child}/cmdline`, "utf8").includes(built))

/** Kills after so long; resolves with the processes of jobs that there were, when the program is gone. */
const killed = (folder: string, victim: "program" | "job", afterMillis: number) =>
  new Promise<ReadonlyArray<number>>((resolve) => {
    const program = start(run, environment, folder)
    let jobs: ReadonlyArray<number> = []
    const timer = setTimeout(() => {
      jobs = childrenOf(program.pid!)
      const pids = victim === "job" && jobs.length > 0 ? jobs : [program.pid!]
      for (const pid of pids) process.kill(pid, "SIGKILL")
    }, afterMillis)
    program.on("close", () => {
      clearTimeout(timer)
      resolve(jobs)
    })
  })

export const killMomentsSuite = (numMoments: number) =>
  describe.skipIf(!existsSync("/proc/self/task"))(
    `killed at ${numMoments} random moments (needs /proc)`,
    () => {
      let whole: { readonly digest: string; readonly millis: number }

      beforeAll(async () => {
        const folder = folderOf("whole")
        cpSync(join(project, "epochs.ts"), join(folder, "epochs.ts"))
        const prepare = await distillery([...run, "--only", "scenes,prepared"], { environment, folder })
        assert.strictEqual(prepare.code, 0, prepare.stderr)
        cpSync(folder, folderOf("template"), { recursive: true })
        const began = performance.now()
        const { code, stderr, stdout } = await distillery(run, { environment, folder })
        assert.strictEqual(code, 0, stderr)
        whole = { digest: digestIn(stdout, "teacher"), millis: performance.now() - began }
        assert.match(whole.digest, /^sha256:/)
      }, 120_000)

      const random = RandomStream.make(seed, "moments")
      const moments = Array.from({ length: numMoments }, (_, index) => ({
        index,
        victim: index % 2 === 0 ? ("program" as const) : ("job" as const),
        at: Math.round(random.uniform() * 1000) / 1000
      }))

      it.each(moments)(
        "$index: the $victim at $at of the time",
        async ({ at, index, victim }) => {
          const folder = folderOf(String(index))
          cpSync(folderOf("template"), folder, { recursive: true })
          const jobs = await killed(folder, victim, at * whole.millis)
          await until(() => jobs.every((pid) => !isAlive(pid)), 5_000)

          const { code, stderr, stdout } = await distillery(run, { environment, folder })
          assert.strictEqual(code, 0, stderr)
          assert.strictEqual(digestIn(stdout, "teacher"), whole.digest)
          const seen = epochsSeen(folder, "teacher").filter((epochs) => epochs.length > 0)
          seen.forEach((epochs, run) => {
            const before = seen[run - 1]?.at(-1) ?? 0
            assert.isAtLeast(epochs[0]!, before, `an epoch was trained again: ${JSON.stringify(seen)}`)
          })
        },
        120_000
      )
    }
  )
