/** An ablation as a pipeline: rows, seeds, what is shared, and what is refused. Nothing runs. */
import { assert, describe, it } from "vitest"
import type { TrickName } from "../../lib/train/tricks.ts"
import * as Pipeline from "../../lib/workflow/Pipeline.ts"
import { type AblationOptions, ablation } from "../../pipelines/ablation.ts"
import { pipelines } from "../../pipelines/index.ts"
import { Evaluate } from "../../stages/evaluate.ts"
import { Ingest } from "../../stages/ingest.ts"
import { Preprocess } from "../../stages/preprocess.ts"
import { Pretrain } from "../../stages/pretrain.ts"

const fashion = (await pipelines["fashion-mnist"]!()).pipeline
const quickstart = (await pipelines.quickstart!()).pipeline

const bottlenecks = (size: number): Pipeline.Pipeline => {
  const scenes = Ingest({
    params: { source: { _tag: "Scenes", seed: 7, size, numTrain: 64, numTest: 16 } },
    inputs: {}
  })
  const images = Preprocess({
    params: { height: size, width: size, channels: 3, validation: 0 },
    inputs: { dataset: scenes }
  })
  const student = Pretrain({
    params: {
      architecture: { family: "resnet", depth: 50, width: 8, variant: "D" },
      training: { epochs: 8, warmupEpochs: 2, labelSmoothing: 0.2, lrSchedule: { kind: "constant" } }
    },
    inputs: { dataset: images }
  })
  return Pipeline.make("bottlenecks", "a student with bottlenecks", { scenes, images, student })
}

const of = (
  pipeline: Pipeline.Pipeline,
  tricks: ReadonlyArray<TrickName>,
  options: Partial<AblationOptions> = {}
) => ablation(pipeline, { tricks, given: [], each: false, numSeeds: 2, ...options })

const names = ({ jobs }: Pipeline.Pipeline) => jobs.map(({ name }) => name)
const paramsOf = ({ jobs }: Pipeline.Pipeline, name: string) =>
  jobs.find((job) => job.name === name)!.ref.params as {
    readonly [key: string]: { readonly [key: string]: unknown }
  }
const inputsOf = ({ jobs }: Pipeline.Pipeline, name: string) => jobs.find((job) => job.name === name)!.inputs

describe("the rows", () => {
  it("are trained and evaluated seed by seed, on the pipeline's own data", () => {
    const made = of(fashion, ["warmup", "cosine"])
    assert.strictEqual(made.name, "fashion-mnist-ablation")
    const rows = ["row-00-baseline", "row-01-warmup", "row-02-cosine"]
    const seeds = [1, 2].flatMap((seed) =>
      rows.flatMap((row) => [`${row}-seed-${seed}`, `evaluate-${row}-seed-${seed}`])
    )
    assert.deepStrictEqual(names(made), ["images", "prepared", ...seeds, "ablation"])
    const inherited = fashion.jobs.find(({ name }) => name === "prepared")!.ref
    assert.strictEqual(made.jobs.find(({ name }) => name === "prepared")!.ref, inherited)
  })

  it("begin with the pipeline's student and no trick, each has one more", () => {
    const made = of(fashion, [
      "warmup",
      "zero-gamma",
      "no-bias-decay",
      "bf16",
      "cosine",
      "label-smoothing",
      "distill"
    ])
    const own = { epochs: 10, learningRate: 0.1, weightDecay: 5e-4, batchSize: 128 }
    const step = { kind: "step", milestones: [2, 5, 7], factor: 0.1 }
    const plain = { ...own, warmupEpochs: 0, precision: "float32", lrSchedule: step, labelSmoothing: 0 }
    const baseline = paramsOf(made, "row-00-baseline-seed-1")
    assert.deepStrictEqual(baseline.architecture, paramsOf(fashion, "student-alone").architecture)
    assert.deepInclude(baseline.training, { ...plain, weightDecayOn: "all", seed: 1 })
    assert.notProperty(baseline.training, "zeroGamma")
    const last = paramsOf(made, "row-07-distill-seed-2")
    const tricks = { warmupEpochs: 1, precision: "bfloat16", zeroGamma: true, labelSmoothing: 0.1 }
    assert.deepInclude(last.training, { ...own, ...tricks, lrSchedule: { kind: "cosine" }, seed: 2 })
    assert.notProperty(last.training, "weightDecayOn", "on kernels is what is usual")
    assert.strictEqual(last.temperature as unknown, 4)
    assert.include(names(made), "teacher")
    assert.deepStrictEqual(inputsOf(made, "row-07-distill-seed-2"), {
      dataset: "prepared",
      teacher: "teacher"
    })
  })

  it("differ from the row before by what the report says, and by nothing else", () => {
    const made = of(bottlenecks(64), ["warmup", "resnet-b", "resnet-d", "cosine", "label-smoothing"])
    const said = (paramsOf(made, "ablation").rows as unknown as ReadonlyArray<{ params: unknown }>).slice(1)
    assert.deepStrictEqual(
      said.map(({ params }) => params),
      [
        ["training.warmupEpochs: 0 → 2"],
        ["architecture.variant: A → –"],
        ["architecture.variant: – → D"],
        ["training.lrSchedule: {kind:constant} → {kind:cosine}"],
        ["training.labelSmoothing: 0 → 0.2"]
      ]
    )
  })

  it("of distillation and mixup are there with and without one another, as in table 6", () => {
    const made = of(fashion, ["label-smoothing", "distill", "mixup"], { numSeeds: 1 })
    const rows = paramsOf(made, "ablation").rows as unknown as ReadonlyArray<{
      readonly [key: string]: unknown
    }>
    assert.deepStrictEqual(
      rows.slice(2).map(({ besides, comparedWith, name }) => [name, comparedWith, besides]),
      [
        ["row-02-distill", "row-01-label-smoothing", null],
        ["row-03-mixup-without-distill", "row-01-label-smoothing", null],
        ["row-04-mixup", "row-02-distill", "distill"]
      ]
    )
    const last = paramsOf(made, "row-04-mixup-seed-1")
    assert.deepInclude(last.training, { mixup: 0.2, labelSmoothing: 0.1 })
    assert.notProperty(paramsOf(made, "row-03-mixup-without-distill-seed-1"), "temperature")
  })

  it("of each trick alone stand beside the baseline; a training that two rows share is one job", () => {
    const made = of(fashion, ["warmup", "cosine"], { each: true, numSeeds: 1 })
    const trainings = names(made).filter((name) => name.endsWith("-seed-1") && !name.startsWith("evaluate"))
    assert.deepStrictEqual(trainings, [
      "row-00-baseline-seed-1",
      "row-01-warmup-seed-1",
      "row-02-cosine-seed-1",
      "only-cosine-seed-1"
    ])
    const { evaluations } = inputsOf(made, "ablation") as { evaluations: { readonly [row: string]: string } }
    assert.strictEqual(evaluations["only-warmup-seed-1"], "evaluate-row-01-warmup-seed-1")
  })

  it("may all have some tricks, the baseline too", () => {
    const made = of(quickstart, ["label-smoothing"], { given: ["warmup", "cosine"] })
    const training = { warmupEpochs: 1, lrSchedule: { kind: "cosine" }, labelSmoothing: 0 }
    assert.deepInclude(paramsOf(made, "row-00-baseline-seed-1").training, training)
  })

  it("are scored as the pipeline scores its student", () => {
    const own = bottlenecks(64)
    const refs = Object.fromEntries(own.jobs.map(({ name, ref }) => [name, ref]))
    const wider = Preprocess({
      params: { height: 64, width: 64, channels: 3, validation: 0, fit: "pad" },
      inputs: { dataset: refs.scenes as never }
    })
    const scored = Evaluate({
      params: { imageSize: 48 },
      inputs: { model: refs.student as never, dataset: wider }
    })
    const made = of(Pipeline.make("scored", "a student", { ...refs, wider, scored }), ["warmup"])
    assert.deepStrictEqual(paramsOf(made, "evaluate-row-01-warmup-seed-2") as unknown, { imageSize: 48 })
    assert.strictEqual(inputsOf(made, "evaluate-row-00-baseline-seed-1").dataset, "wider")
    assert.strictEqual(inputsOf(made, "row-00-baseline-seed-1").dataset, "images")
  })

  it("leave what a pipeline has trained itself a hit: the teacher is the very same", () => {
    const made = of(quickstart, ["distill"])
    const teacherOf = (pipeline: Pipeline.Pipeline) =>
      pipeline.jobs.find(({ name }) => name === "teacher")!.ref
    assert.strictEqual(teacherOf(made), teacherOf(quickstart))
    assert.notInclude(names(made), "detector")
  })
})

describe("which student and teacher", () => {
  it("may be said, where the pipeline leaves a choice", () => {
    const made = of(fashion, ["distill"], { student: "student-alone", teacher: "teacher" })
    assert.include(names(made), "row-01-distill-seed-1")
    assert.strictEqual(paramsOf(made, "row-01-distill-seed-1").temperature as unknown, 20)
  })

  const refused = (message: RegExp, make: () => unknown): void => assert.throws(make, message)
  const scenes = Pipeline.make("scenes", "no training", { scenes: quickstart.jobs[0]!.ref })

  it("must be there", () => {
    refused(/no training to take apart: .*the pipeline has ingest/s, () => of(scenes, ["warmup"]))
    refused(/--student: there is no job "studnet": did you mean "student"\?/, () =>
      of(fashion, ["warmup"], { student: "studnet" })
    )
    refused(/--student: "prepared" is no training.*teacher/, () =>
      of(fashion, ["warmup"], { student: "prepared" })
    )
    refused(/--teacher: "prepared" makes a prepared-dataset/, () =>
      of(fashion, ["distill"], { teacher: "prepared" })
    )
    refused(/distill: there is no teacher: .*--teacher JOB/, () => of(bottlenecks(64), ["distill"]))
  })

  it("is asked for, where several are trained and none is distilled", () => {
    const jobs = fashion.jobs.filter(({ name }) =>
      ["images", "prepared", "teacher", "student-alone"].includes(name)
    )
    const two = Pipeline.make("two", "two", Object.fromEntries(jobs.map(({ name, ref }) => [name, ref])))
    refused(/which training is meant\? Say --student with one of teacher, student-alone/, () =>
      of(two, ["warmup"])
    )
  })
})

describe("tricks that cannot be shown are refused, and why", () => {
  it.each([
    [["resnet-b"], "fashion", /resnet-b: the student is a resnet-cifar.*depth 50, on images of 64 pixels/],
    [["resnet-b"], "quickstart", /resnet-b: a ResNet of depth 10 has no bottlenecks/],
    [["resnet-d"], "small", /resnet-d: images of 32 pixels are too small for the 7x7 stem/],
    [["resnet-d", "resnet-b"], "bottlenecks", /resnet-b is part of those before it: write resnet-b,resnet-c/],
    [["warmup", "warmup"], "fashion", /warmup is named twice/],
    [[], "fashion", /no trick is named/]
  ] as const)("%s of %s", (tricks, name, message) => {
    const made = { fashion, quickstart, bottlenecks: bottlenecks(64), small: bottlenecks(32) }[name]
    assert.throws(() => of(made, tricks), message)
  })
})
