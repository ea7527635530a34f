/** More epochs, and another tail, train only what is new: the real program, in processes of their own. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { distillery, packageRoot, project } from "./builtProgram.ts"

writeFileSync(
  join(project, "growing.ts"),
  `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
import { Preprocess } from "${packageRoot}/stages/preprocess.ts"
import { Pretrain } from "${packageRoot}/stages/pretrain.ts"
const scenes = Ingest({
  params: { source: { _tag: "Scenes", seed: 7, size: 16, numTrain: 40, numTest: 16 } }, inputs: {}
})
const prepared = Preprocess({
  params: { height: 16, width: 16, channels: 3, validation: 0 }, inputs: { dataset: scenes }
})
const teacher = Pretrain({
  params: {
    architecture: { family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" },
    training: {
      epochs: 4, batchSize: 16, learningRate: 0.05, warmupEpochs: 0,
      lrSchedule: { kind: "step", milestones: [2], factor: 0.1 }
    }
  },
  inputs: { dataset: prepared }
})
export const pipeline = Pipeline.make("growing", "a toy", { scenes, prepared, teacher })
`
)

const store = join(project, "store-growing")

/** Runs the pipeline; what the teacher's fold went on from, and the digest of the teacher. */
const run = async (storeFolder: string, ...sets: ReadonlyArray<string>) => {
  const environment = {
    DISTILLERY_CACHE: join(project, "cache"),
    DISTILLERY_STORE: storeFolder,
    DISTILLERY_KEEP_STATES: "3"
  }
  const args = ["run", "./growing.ts", "--json", ...sets.flatMap((set) => ["--set", set])]
  const { code, stderr, stdout } = await distillery(args, { environment })
  assert.strictEqual(code, 0, stderr)
  const { runId } = JSON.parse(stdout)
  const record = JSON.parse(readFileSync(join(storeFolder, "objects/runs/main", `${runId}.json`), "utf8"))
  const { key, outputDigest } = record.jobs.find((job: { name: string }) => job.name === "teacher")
  const manifests = join(storeFolder, "objects/manifests")
  const name = `${key.slice("sha256:".length + 2)}.json`
  const file = readdirSync(manifests, { recursive: true }).find((path) => String(path).endsWith(name))
  const { payload } = JSON.parse(readFileSync(join(manifests, String(file)), "utf8"))
  return { outputDigest, fold: payload.provenance.fold }
}

const numStates = () =>
  readdirSync(join(store, "objects/folds"), { recursive: true }).filter((name) =>
    String(name).endsWith("pointer.json")
  ).length

describe("a run after another", () => {
  it("with another tail and more epochs trains only those, to the bytes of a run from scratch", async () => {
    assert.isUndefined((await run(store)).fold)
    assert.strictEqual(numStates(), 3)
    const tail = ["teacher.training.lrSchedule.factor=0.5", "teacher.training.epochs=5"]
    const forked = await run(store, ...tail)
    assert.deepStrictEqual(forked.fold, { elements: 5, found: 2 })
    // Its own last two; the one after the milestone is the first run's.
    assert.strictEqual(numStates(), 5)
    const longer = await run(store, tail[0]!, "teacher.training.epochs=6")
    assert.deepStrictEqual(longer.fold, { elements: 6, found: 5 })
    const whole = await run(join(project, "store-whole"), tail[0]!, "teacher.training.epochs=6")
    assert.strictEqual(longer.outputDigest, whole.outputDigest)
    assert.isFalse(existsSync(join(store, "objects/resume")))
  }, 120_000)
})
