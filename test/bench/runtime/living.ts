/** How the runtime behaves in a program: its start, and what it leaves to others while it computes. */
import { execFileSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"
import { median, type Row, row } from "../Row.ts"
import { jobEnvironment, start } from "./Contender.ts"
import { type Assignment, trainingCases } from "./cases.ts"
import type { LoopFigures } from "./trainingLoop.ts"

const root = join(import.meta.dirname, "../../..")
const numStarts = 5
const numLoops = 5
const threads = 2

export const livingRows = async (): Promise<ReadonlyArray<Row>> => {
  const loops = Array.from({ length: numLoops }, loopFigures)
  const middle = (figure: keyof LoopFigures) => median(loops.map((loop) => loop[figure]))
  return [
    row({
      name: "first step of ResNet-20 from a cold process",
      value: await firstStepSeconds(),
      unit: "s",
      goal: 2
    }),
    row({
      name: "event loop's longest gap while training",
      value: middle("longestGapMillis"),
      unit: "ms",
      goal: 20
    }),
    row({
      name: "steps and decoding together",
      value: middle("overlap"),
      unit: "of their CPU time / 2",
      goal: 1.05
    }),
    row({
      name: "steps and decoding together",
      value: middle("overlapOfEachAlone"),
      unit: "of the CPU time of each alone / 2",
      goal: 1.05
    })
  ]
}

/** As the program does it: a bundle, its packages beside it, compiled code kept from the start before. */
const firstStepSeconds = async (): Promise<number> => {
  const folder = join(root, "node_modules", ".cache", "distillery-bench")
  const file = join(folder, "ours.js")
  mkdirSync(folder, { recursive: true })
  await build({
    entryPoints: [join(import.meta.dirname, "ours.ts")],
    outfile: file,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    banner: {
      js: `import { enableCompileCache } from "node:module"\nenableCompileCache("${folder}/compiled")`
    }
  })
  const assignment: Assignment = {
    what: "training",
    case: trainingCases["resnet-20"]!,
    precision: "bfloat16",
    threads
  }
  const seconds: Array<number> = []
  for (let index = 0; index <= numStarts; index++) {
    const contender = await start([process.execPath, file, JSON.stringify(assignment)], {
      environment: jobEnvironment(threads)
    })
    contender.stop()
    // The first start compiles.
    if (index > 0) seconds.push(contender.firstStepMillis / 1000)
  }
  return median(seconds)
}

const loopFigures = (): LoopFigures => {
  const said = execFileSync(process.execPath, [join(import.meta.dirname, "trainingLoop.ts")], {
    env: jobEnvironment(threads),
    encoding: "utf8"
  })
  return JSON.parse(said) as LoopFigures
}
