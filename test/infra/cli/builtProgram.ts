/** The built program, run as a process of its own in a project of its own, and pipelines to run it on. */
import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, inject } from "vitest"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

export const packageRoot = join(import.meta.dirname, "../../..")
export const built = inject("program")
export const project = temporaryFolder()
/** Where the user's key is made. */
const home = temporaryFolder()

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Options {
  readonly environment?: { readonly [name: string]: string }
  /** Where it is called, if not in `project`. */
  readonly folder?: string
  /** Sent when stderr first shows this text. */
  readonly interruptAt?: { readonly text: string; readonly signals: ReadonlyArray<NodeJS.Signals> }
  /** Closes our end of stdout at once. */
  readonly closeStdout?: boolean
}

/** The program in a process that the test itself ends; its environment as `distillery` gives it. */
export const start = (
  args: ReadonlyArray<string>,
  environment: Options["environment"] = {},
  folder: string = project
) => {
  const { PATH, HOME } = process.env
  return spawn(process.execPath, [join(built, "main.js"), ...args], {
    cwd: folder,
    env: { PATH, HOME, XDG_CONFIG_HOME: home, DISTILLERY_BACKEND: "portable", ...environment }
  })
}

export const distillery = (args: ReadonlyArray<string>, options: Options = {}): Promise<Ended> =>
  new Promise((resolve) => {
    const child = start(args, options.environment, options.folder)
    let stdout = ""
    let stderr = ""
    if (options.closeStdout) child.stdout.destroy()
    child.stdout.on("data", (chunk) => {
      stdout += chunk
    })
    const signals = [...(options.interruptAt?.signals ?? [])]
    child.stderr.on("data", (chunk) => {
      stderr += chunk
      const expected =
        signals.length === options.interruptAt?.signals.length ? options.interruptAt?.text : "stopping"
      if (expected !== undefined && stderr.includes(expected) && signals.length > 0)
        child.kill(signals.shift())
    })
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })

const imports = ["ingest", "preprocess", "pretrain", "evaluate", "report"]
  .map((stage) => `import * as ${stage} from "${packageRoot}/stages/${stage}.ts"`)
  .join("\n")

/** A pipeline of scenes, `prepared` and a `model` of so many epochs, made of these by `refs`. */
export const pipelineFile = (name: string, refs: string): void =>
  writeFileSync(
    join(project, `${name}.ts`),
    `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
${imports}
const scenes = ingest.Ingest({
  params: { source: { _tag: "Scenes", seed: 7, size: 16, numTrain: 64, numTest: 16 } }, inputs: {}
})
const prepared = preprocess.Preprocess({
  params: { height: 16, width: 16, channels: 3, validation: 0 }, inputs: { dataset: scenes }
})
const model = (epochs: number) => pretrain.Pretrain({
  params: {
    architecture: { family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" },
    training: {
      epochs, batchSize: 16, learningRate: 0.05, warmupEpochs: 0, weightDecay: 0, seed: 0,
      augment: { pad: 0, flip: false }, precision: "float32"
    }
  },
  inputs: { dataset: prepared }
})
${refs}
`
  )

beforeAll(() => {
  pipelineFile(
    "toy",
    `const teacher = model(1)
const evaluation = evaluate.Evaluate({ params: {}, inputs: { model: teacher, dataset: prepared } })
const refs = { scenes, prepared, teacher, "teacher-evaluation": evaluation }
export const pipeline = Pipeline.make("toy", "a toy", refs)`
  )
  pipelineFile(
    "long",
    'export const pipeline = Pipeline.make("long", "a toy", { scenes, prepared, teacher: model(5000) })'
  )
  pipelineFile(
    "broken",
    `const source = { _tag: "ImageFolder", path: "/nowhere", digest: "sha256:${"0".repeat(64)}" }
const missing = ingest.Ingest({ params: { source }, inputs: {} })
export const pipeline = Pipeline.make("broken", "a toy", { scenes, missing })`
  )
  pipelineFile("scenes", 'export const pipeline = Pipeline.make("scenes", "a toy", { scenes, prepared })')
  pipelineFile("nameless", 'export const pipeline = Pipeline.make("nameless", "a toy", { prepared })')
  pipelineFile("unexported", "export const nothing = 1")
  pipelineFile("unmade", 'export const pipeline = { name: "x", jobs: 3 }')
  pipelineFile(
    "miswired",
    `const evaluation = evaluate.Evaluate({ params: {}, inputs: { model: scenes, dataset: prepared } })
export const pipeline = Pipeline.make("miswired", "a toy", { scenes, prepared, evaluation })`
  )
  pipelineFile(
    "twisted",
    `const teacher = model(1)
export const pipeline = Pipeline.make("twisted", "a toy", { scenes, prepared, teacher })
prepared.inputs.dataset = teacher`
  )
})
