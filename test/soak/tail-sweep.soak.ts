/**
 * Ten ways to end a training of ten epochs, all alike for the first six, on the native runtime: as jobs of
 * one run, and each as a run of its own on a store that has none of the others. What differs is what the
 * learning rate is multiplied with after epoch six.
 */
import { cpSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { distillery, packageRoot, project } from "../infra/cli/builtProgram.ts"
import { digestIn, epochsSeen } from "../support/trainedEpochs.ts"

const [epochs, shared, numTails] = [10, 6, 10]
const tails = Array.from({ length: numTails }, (_, index) => `tail-${index}`)
const environment = { DISTILLERY_BACKEND: "native", DISTILLERY_CACHE: join(project, "cache") }
const run = ["run", "./sweep.ts", "--json"]

const source = `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
import { Preprocess } from "${packageRoot}/stages/preprocess.ts"
import { Pretrain } from "${packageRoot}/stages/pretrain.ts"
const scenes = Ingest({
  params: { source: { _tag: "Scenes", seed: 7, size: 32, numTrain: 4000, numTest: 16 } }, inputs: {}
})
const prepared = Preprocess({
  params: { height: 32, width: 32, channels: 3, validation: 0 }, inputs: { dataset: scenes }
})
const tail = (index) => Pretrain({
  params: {
    architecture: { family: "resnet-cifar", depth: 14, width: 16, shortcut: "B" },
    training: {
      epochs: ${epochs}, batchSize: 50, learningRate: 0.05, warmupEpochs: 0, weightDecay: 1e-4, seed: 0,
      lrSchedule: { kind: "step", milestones: [${shared}], factor: (index + 1) / 20 },
      augment: { pad: 2, flip: true }, precision: "float32"
    }
  },
  inputs: { dataset: prepared }
})
export const pipeline = Pipeline.make("sweep", "one training, ten ends", {
  scenes, prepared, ...Object.fromEntries(${JSON.stringify(tails)}.map((name, index) => [name, tail(index)]))
})
`

const ran = async (folder: string, jobs: ReadonlyArray<string>) => {
  const began = performance.now()
  const ended = await distillery([...run, "--only", jobs.join(",")], { environment, folder })
  assert.strictEqual(ended.code, 0, ended.stderr)
  return { stdout: ended.stdout, seconds: (performance.now() - began) / 1000 }
}

const trainedIn = (folder: string, job: string): ReadonlyArray<number> => [
  ...new Set(epochsSeen(folder, job).flat())
]

const counted = (first: number): ReadonlyArray<number> =>
  Array.from({ length: epochs - first + 1 }, (_, index) => first + index)

describe("a sweep over the last two fifths of a training", () => {
  const [template, together] = [join(project, "template"), join(project, "together")]
  const alone = { seconds: 0, digests: [] as Array<string> }

  beforeAll(async () => {
    writeFileSync(join(project, "sweep.ts"), source)
    cpSync(join(project, "sweep.ts"), join(template, "sweep.ts"))
    await ran(template, ["scenes", "prepared"])
    // Kernels are compiled once for a machine, which is nobody's part.
    cpSync(template, join(project, "warm"), { recursive: true })
    await ran(join(project, "warm"), ["tail-0"])
    for (const tail of tails) {
      const folder = join(project, tail)
      cpSync(template, folder, { recursive: true })
      const { seconds, stdout } = await ran(folder, [tail])
      assert.deepStrictEqual(trainedIn(folder, tail), counted(1))
      alone.seconds += seconds
      alone.digests.push(digestIn(stdout, tail))
    }
  }, 3_600_000)

  it("trains the shared epochs once, to the bytes of runs from scratch", async () => {
    cpSync(template, together, { recursive: true })
    const { seconds, stdout } = await ran(together, tails)
    assert.deepStrictEqual(
      tails.map((tail) => digestIn(stdout, tail)),
      alone.digests
    )
    assert.lengthOf(new Set(alone.digests), numTails)
    const executed = tails.map((tail) => trainedIn(together, tail))
    assert.deepStrictEqual(executed, [counted(1), ...tails.slice(1).map(() => counted(shared + 1))])
    const ratio = (seconds / alone.seconds).toFixed(3)
    console.log(`ten alone ${alone.seconds.toFixed(1)} s, together ${seconds.toFixed(1)} s: ${ratio}`)
  }, 3_600_000)
})
