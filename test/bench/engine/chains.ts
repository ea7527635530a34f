/** A project of the user's own whose pipelines are ten parallel chains of small jobs. */
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const packageRoot = join(import.meta.dirname, "../../..")

const contract = `import { Schema } from "effect"
import { Artifact, BlobRef, Stage } from "distillery"
const Text = Artifact.type("text", Schema.Struct({ bytes: BlobRef }))
export const link = Stage.make("link", {
  params: Schema.Struct({ index: Schema.Int }),
  inputs: { before: Stage.many(Text) },
  output: Text,
  run: () => import("./link.run.ts")
})
`
const body = `import { Effect } from "effect"
import { BlobStore } from "distillery"
export const run = Effect.fn("link")(function* ({ inputs, params }) {
  const blobs = yield* BlobStore
  const texts = yield* Effect.forEach(Object.values(inputs.before), ({ bytes }) => blobs.get(bytes))
  const text = texts.map((bytes) => new TextDecoder().decode(bytes)).join("")
  return { bytes: yield* blobs.put(new TextEncoder().encode(text + params.index + "\\n")) }
})
`
const pipeline = (numJobs: number): string => `import { Pipeline } from "distillery"
import { link } from "./link.ts"
const refs = {}
for (let index = 0; index < ${numJobs}; index++) {
  const before = index < 10 ? {} : { it: refs[\`link-\${index - 10}\`] }
  refs[\`link-\${index}\`] = link({ params: { index }, inputs: { before } })
}
export const pipeline = Pipeline.make("chains-${numJobs}", "ten chains", refs)
`

export const makeProject = (): string => {
  const project = mkdtempSync(join(tmpdir(), "distillery-bench-"))
  mkdirSync(join(project, "node_modules"))
  symlinkSync(packageRoot, join(project, "node_modules", "distillery"))
  symlinkSync(join(packageRoot, "node_modules", "effect"), join(project, "node_modules", "effect"))
  writeFileSync(join(project, "package.json"), '{ "name": "chains", "type": "module" }\n')
  writeFileSync(join(project, "link.ts"), contract)
  writeFileSync(join(project, "link.run.ts"), body)
  return project
}

/** Writes the pipeline; its name on the command line. */
export const writeChains = (project: string, numJobs: number): string => {
  const file = `./chains-${numJobs}.ts`
  writeFileSync(join(project, file), pipeline(numJobs))
  return file
}
