/**
 * Runs so many jobs that do nothing, in an engine like the program's: `node run.ts <how> <jobs> <folder>`,
 * how being `in-process`, `warm` or `cold`.
 */

import { join } from "node:path"
import { Effect, Layer } from "effect"
import { codeClosureLayer } from "../../../../infra/code/CodeClosure.ts"
import { childProcessExecutorLayer } from "../../../../infra/executors/ChildProcessExecutor.ts"
import { childEnvironment } from "../../../../infra/executors/childEnvironment.ts"
import { inProcessExecutorLayer } from "../../../../infra/executors/InProcessExecutor.ts"
import { indexedExternalInputsLayer } from "../../../../infra/files/IndexedExternalInputs.ts"
import { hasherLayer } from "../../../../infra/hashing.ts"
import { ownerLivenessLayer } from "../../../../infra/ownerLiveness.ts"
import { passingSigningLayer } from "../../../../infra/signing/signing.ts"
import { fileObjectStoreLayer } from "../../../../infra/stores/FileObjectStore.ts"
import { blobStoreLayer } from "../../../../lib/storage/blobs.ts"
import { leasesLayer } from "../../../../lib/storage/leases.ts"
import { mainScope } from "../../../../lib/storage/Signature.ts"
import { Capabilities } from "../../../../lib/workflow/CodeClosure.ts"
import { manifestStoreLayer } from "../../../../lib/workflow/ManifestStore.ts"
import * as Pipeline from "../../../../lib/workflow/Pipeline.ts"
import { recordingReporterLayer } from "../../../../lib/workflow/Reporter.ts"
import { Runner, runnerLayer } from "../../../../lib/workflow/Runner.ts"
import { stateSealsLayer } from "../../../../lib/workflow/StateSeals.ts"
import { stage } from "./stage.ts"

const [how = "", numJobs = "", folder = ""] = process.argv.slice(2)
const packageRoot = join(import.meta.dirname, "../../../..")

const pipeline = Pipeline.make(
  "executed",
  "jobs that do nothing",
  Object.fromEntries(
    Array.from({ length: Number(numJobs) }, (_, value) => [
      `job${value}`,
      stage({ params: { value }, inputs: {} })
    ])
  )
)

const storage = manifestStoreLayer.pipe(
  Layer.provideMerge(passingSigningLayer),
  Layer.provideMerge(blobStoreLayer),
  Layer.provideMerge(fileObjectStoreLayer(join(folder, "store"))),
  Layer.provideMerge(hasherLayer)
)
const code = codeClosureLayer({
  packageRoot,
  codeFolder: join(folder, "code"),
  stageFiles: async () => ({
    root: packageRoot,
    contract: "test/bench/engine/executed/stage.ts",
    body: "test/bench/engine/executed/stage.run.ts"
  }),
  serviceFiles: {}
})
const children = childProcessExecutorLayer({
  childFile: join(packageRoot, "dist", "child.js"),
  alwaysFresh: how === "cold",
  environment: childEnvironment({ ...process.env, DISTILLERY_STORE: join(folder, "store") }, 4)
}).pipe(Layer.provide(code))
const executor = how === "in-process" ? inProcessExecutorLayer(Layer.empty) : children
const engine = runnerLayer.pipe(
  Layer.provideMerge(Layer.provide(executor, stateSealsLayer)),
  Layer.provideMerge(leasesLayer({ leaseMillis: 30_000, scope: mainScope })),
  Layer.provideMerge(ownerLivenessLayer),
  Layer.provideMerge(indexedExternalInputsLayer({ projectDir: folder, folder: join(folder, "inputs") })),
  Layer.provideMerge(recordingReporterLayer([])),
  Layer.provideMerge(Layer.succeed(Capabilities, { refusal: () => Effect.succeed(undefined) })),
  Layer.provideMerge(code),
  Layer.provideMerge(storage)
)

const run = Effect.flatMap(Runner, (runner) => runner.run(pipeline, { selection: {}, concurrency: 1 }))
const { report } = await Effect.runPromise(Effect.provide(run, engine))
if (report.jobs.some(({ state }) => state !== "ran")) throw new Error(JSON.stringify(report))
