/** The composition root: it offers what the stages ask for, and what it chooses never reaches a key. */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { planningLayer, type StageServices } from "../../infra/layers.ts"
import type { SettingsValue } from "../../infra/settings.ts"
import { newSecret } from "../../infra/signing/ed25519.ts"
import type { Scope } from "../../lib/storage/Signature.ts"
import { CodeClosure, namesIn } from "../../lib/workflow/CodeClosure.ts"
import type { JobContext } from "../../lib/workflow/JobContext.ts"
import * as Plan from "../../lib/workflow/Plan.ts"
import type { Stage } from "../../lib/workflow/Stage.ts"
import { pipelines } from "../../pipelines/index.ts"
import type { Distill } from "../../stages/distill.ts"
import type { Evaluate } from "../../stages/evaluate.ts"
import type { Ingest } from "../../stages/ingest.ts"
import type { Preprocess } from "../../stages/preprocess.ts"
import type { Pretrain } from "../../stages/pretrain.ts"
import type { WriteReport } from "../../stages/report.ts"
import { signingOptions } from "../support/signing.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

type ServicesOf<S> = S extends Stage<infer _P, infer _PE, infer _I, infer _A, infer _E, infer R> ? R : never
type AnyOfOurs =
  | typeof Distill
  | typeof Evaluate
  | typeof Ingest
  | typeof Preprocess
  | typeof Pretrain
  | typeof WriteReport
/** Compiles only while no stage asks for a service that no child process is given. */
const missing: ReadonlyArray<Exclude<ServicesOf<AnyOfOurs>, StageServices | JobContext>> = []
const none: ReadonlyArray<never> = missing

const base = temporaryFolder()
const settings: SettingsValue = {
  projectDir: join(base, "project"),
  store: { kind: "folder", folder: join(base, "store") },
  cacheDir: join(base, "cache"),
  blobCache: undefined,
  encryption: undefined,
  addressing: "auto",
  signing: signingOptions,
  mirrorDir: undefined,
  backend: "auto",
  tensorflowDir: undefined,
  visibleGpus: undefined,
  kernels: "own",
  threads: 2,
  profileDir: undefined,
  concurrency: 2,
  gpuConcurrency: 1,
  leaseSeconds: 30,
  storePatienceSeconds: 300,
  keepStates: 6,
  environment: {}
}

/** The key of every job that can be known before anything ran, and what of the others' is known by then. */
const keysUnder = Effect.fn(function* (change: Partial<SettingsValue>) {
  const { pipeline } = yield* Effect.promise(() => pipelines.quickstart!())
  return yield* Effect.gen(function* () {
    const code = yield* CodeClosure
    const { jobs } = yield* Plan.make(pipeline, {})
    return yield* Effect.forEach(jobs, ({ job, name, state }) => {
      const { params, stage } = job.ref
      const { resultServices = [], stageName } = stage
      return Effect.map(
        code.of({ stageName, resultServices, names: () => namesIn(params) }),
        ({ identity }) => ({
          name,
          key: state._tag === "Waits" ? "waits" : state.key,
          code: identity.digest,
          params
        })
      )
    })
  }).pipe(Effect.provide(planningLayer({ settings: { ...settings, ...change } })))
})

describe("layers", () => {
  it("offer every service that a stage of ours asks for", () => assert.deepStrictEqual(none, []))

  it.effect.each([
    ["the store", { store: { kind: "folder", folder: join(base, "elsewhere") } }],
    ["the project's folder", { projectDir: join(base, "another project") }],
    ["who signs and where", { signing: { ...signingOptions, secret: newSecret(), scope: "pr/7" as Scope } }],
    ["the cache", { cacheDir: join(base, "another cache") }],
    ["the mirror", { mirrorDir: base }],
    ["the backend", { backend: "portable" }],
    ["whose kernels serve", { kernels: "stock" }],
    ["threads, concurrency and states", { threads: 1, concurrency: 7, keepStates: 1 }],
    ["profiles", { profileDir: base }],
    ["the lease", { leaseSeconds: 7 }],
    ["the environment", { environment: { LANG: "tr_TR.UTF-8", TZ: "Asia/Tokyo" } }]
  ] as const)("%s is a setting: no key moves with it", ([, change]) =>
    Effect.gen(function* () {
      const keys = yield* keysUnder({})
      assert.isTrue(keys.some(({ key }) => key !== "waits"))
      assert.deepStrictEqual(yield* keysUnder(change), keys)
    })
  )
})
