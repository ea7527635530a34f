/** A pipeline like the real ones, a plan of it, and events of a run: no stage runs. */
import { Schema } from "effect"
import { Digest } from "../../../lib/storage/Digest.ts"
import * as Artifact from "../../../lib/workflow/Artifact.ts"
import type { Manifest } from "../../../lib/workflow/Manifest.ts"
import * as Pipeline from "../../../lib/workflow/Pipeline.ts"
import { dependenciesOf } from "../../../lib/workflow/Pipeline.ts"
import type { JobState, Plan } from "../../../lib/workflow/Plan.ts"
import type { RunEvent } from "../../../lib/workflow/RunEvent.ts"
import type { JobRecord, RunReport } from "../../../lib/workflow/RunReport.ts"
import * as Stage from "../../../lib/workflow/Stage.ts"

export const digest = (letter: string): Digest => Digest.make(`sha256:${letter.repeat(64)}`)

const never = () => Promise.reject(new Error("no stage runs in these tests"))
const Dataset = Artifact.type("prepared-dataset/classification", Schema.Struct({}))
const Classifier = Artifact.type("classifier", Schema.Struct({ numParams: Schema.Int, macs: Schema.Int }))
const Evaluation = Artifact.type(
  "evaluation/classification",
  Schema.Struct({ metrics: Schema.Record(Schema.String, Schema.Number) })
)
const Ingest = Stage.make("ingest", { params: Schema.Struct({}), inputs: {}, output: Dataset, run: never })
const Pretrain = Stage.make("pretrain", {
  params: Schema.Struct({ epochs: Schema.Int }),
  inputs: { dataset: Dataset },
  output: Classifier,
  run: never
})
const Evaluate = Stage.make("evaluate", {
  params: Schema.Struct({}),
  inputs: { model: Classifier, dataset: Dataset },
  output: Evaluation,
  run: never
})

const images = Ingest({ params: {}, inputs: {} })
const teacher = Pretrain({ params: { epochs: 10 }, inputs: { dataset: images } })
const evaluation = Evaluate({ params: {}, inputs: { model: teacher, dataset: images } })

export const pipeline = Pipeline.make("toy", "a toy", { images, teacher, "evaluate-teacher": evaluation })

const code = { digest: digest("c"), declarations: {}, packages: {} }
export const jobCode = { identity: code, lines: {} }

export const manifest = (job: string, stage: string, type: string, value: Schema.Json): Manifest => ({
  schemaVersion: 2,
  jobKey: digest("a"),
  pipeline: "toy",
  job,
  stage,
  params: {},
  inputs: {},
  code,
  output: { type, digest: digest("b"), value },
  provenance: {}
})

/** Every job in the state given; the others are hits. */
export const planWith = (states: { readonly [job: string]: JobState }): Plan => ({
  pipeline,
  jobs: pipeline.jobs.map((job) => {
    const stage = job.ref.stage.stageName
    const hit: JobState = {
      _tag: "Hit",
      key: digest("a"),
      manifest: manifest(job.name, stage, job.ref.type.name, {}),
      code: jobCode
    }
    return {
      name: job.name,
      stage,
      pool: "cpu",
      dependsOn: dependenciesOf(job),
      selected: true,
      forced: false,
      afresh: false,
      externals: {},
      job,
      state: states[job.name] ?? hit
    }
  })
})

/** A job of ours that another run computes, since the given time. */
export const waiting = (job: string, sinceMillis: number): Extract<RunEvent, { _tag: "JobWaiting" }> => ({
  _tag: "JobWaiting",
  job,
  key: digest("a"),
  holder: {
    schemaVersion: 1,
    state: "held",
    owner: { host: "gpu-box", pid: 123, runId: "20261124-120000-abcdef", incarnation: "x" },
    nonce: "n",
    epoch: 1,
    sequence: 0,
    since: new Date(sinceMillis).toISOString(),
    leaseMillis: 30_000
  }
})

export const record = (name: string, stage: string, changes: Partial<JobRecord>): JobRecord => ({
  name,
  stage,
  key: digest("a"),
  state: "hit",
  seconds: 0,
  outputDigest: null,
  error: null,
  notes: [],
  ...changes
})

export const reportOf = (status: RunReport["status"], jobs: ReadonlyArray<JobRecord>): RunReport => ({
  schemaVersion: 1,
  runId: "20261123-120000-abcdef",
  pipeline: "toy",
  status,
  startedAt: "2026-11-23T12:00:00.000Z",
  seconds: 125.4,
  jobs
})
