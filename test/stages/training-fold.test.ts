/**
 * Goal: only epochs that are new are trained, to the same bytes as a run from scratch. Method: real stages
 * on the portable runtime, whose epochs are counted, on a store with states and on an empty one.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Ref, Schema } from "effect"
import { encodeLabelledImages } from "../../lib/data/labelled-images.ts"
import { decodeSafetensors } from "../../lib/models/safetensors.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { TrainingParams } from "../../lib/train/TrainingParams.ts"
import { JobContext } from "../../lib/workflow/JobContext.ts"
import type { ClassifierValue } from "../../stages/artifacts.ts"
import { run as distill } from "../../stages/distill.run.ts"
import { DistillParams } from "../../stages/distill.ts"
import { run as pretrain } from "../../stages/pretrain.run.ts"
import { toyDataset } from "../suites/trainer.ts"
import { type NamedRuntime, portable } from "../support/runtimes.ts"
import { blobsLayer, foldingJob, jobLayer } from "../support/stageServices.ts"

const storage = Layer.fresh(blobsLayer)
const services = Layer.mergeAll(jobLayer(), portable.layer)
const architecture = { family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" } as const

const dataset = Effect.gen(function* () {
  const bytes = encodeLabelledImages(toyDataset)
  const split = { numExamples: toyDataset.labels.length, tensors: yield* (yield* BlobStore).put(bytes) }
  return {
    _tag: "PreparedDataset" as const,
    task: "classification" as const,
    classes: ["upper", "lower"],
    preprocessing: {
      height: 8,
      width: 8,
      channels: 1 as const,
      fit: "stretch" as const,
      mean: [0.5],
      std: [0.25]
    },
    train: split,
    validation: split,
    test: split,
    quarantined: [],
    counts: {}
  }
})

type Changes = Partial<typeof TrainingParams.Type>

const trainingOf = (changes: Changes) =>
  TrainingParams.make({
    ...{ epochs: 4, batchSize: 8, warmupEpochs: 0, lrSchedule: { kind: "constant" } },
    ...{ augment: { pad: 1, flip: true }, learningRate: 0.05 },
    ...changes
  })

/** Trains on the store around it. Jobs with other params have other keys, as in the engine. */
const trained = Effect.fnUntraced(function* (
  changes: Changes,
  runtime: NamedRuntime["layer"] = portable.layer
) {
  const record = {
    executed: [] as number[],
    notes: [] as string[],
    provenance: [] as Schema.JsonObject[]
  }
  const job = foldingJob(JSON.stringify(changes), record)
  const params = { architecture, training: trainingOf(changes) }
  const classifier = yield* pretrain({ params, inputs: { dataset: yield* dataset } }).pipe(
    Effect.provideServiceEffect(JobContext, job),
    Effect.provide(Layer.merge(jobLayer(), runtime))
  )
  return { classifier, ...record }
})

const fromScratch = (changes: Changes) => Effect.provide(trained(changes), storage)

const step = (milestones: ReadonlyArray<number>, factor: number) =>
  ({ kind: "step", milestones, factor }) as const

interface Case {
  readonly what: string
  readonly first: Changes
  readonly next: Changes
  /** Epochs, from 1. */
  readonly executed: ReadonlyArray<number>
}

const cases: ReadonlyArray<Case> = [
  { what: "two more epochs", first: {}, next: { epochs: 6 }, executed: [5, 6] },
  {
    what: "another tail from a milestone on",
    first: { epochs: 6, lrSchedule: step([3], 0.1) },
    next: { epochs: 6, lrSchedule: step([3], 0.5) },
    executed: [4, 5, 6]
  },
  {
    what: "another schedule after the warm-up",
    first: { epochs: 5, warmupEpochs: 2 },
    next: { epochs: 5, warmupEpochs: 2, lrSchedule: { kind: "cosine" } },
    executed: [3, 4, 5]
  },
  {
    what: "a cosine over more epochs",
    first: { lrSchedule: { kind: "cosine" } },
    next: { epochs: 5, lrSchedule: { kind: "cosine" } },
    executed: [1, 2, 3, 4, 5]
  },
  { what: "another seed", first: {}, next: { seed: 1 }, executed: [1, 2, 3, 4] },
  {
    what: "other augmentation",
    first: {},
    next: { augment: { pad: 1, flip: false } },
    executed: [1, 2, 3, 4]
  },
  {
    what: "mixing that ends earlier",
    first: { epochs: 3, mixup: 0.2 },
    next: { epochs: 3, mixup: 0.2, unmixedEpochs: 1 },
    executed: [3]
  },
  {
    what: "mixing that goes on",
    first: { epochs: 5, mixup: 0.2, unmixedEpochs: 4 },
    next: { epochs: 3, mixup: 0.2 },
    executed: [2, 3]
  },
  {
    what: "larger images at the end",
    first: { imageSizes: [[0, 4]] },
    next: {
      imageSizes: [
        [0, 4],
        [3, 12]
      ]
    },
    executed: [4]
  },
  { what: "blocks that are skipped", first: {}, next: { stochasticDepth: 0.3 }, executed: [1, 2, 3, 4] },
  { what: "softer labels", first: {}, next: { labelSmoothing: 0.1 }, executed: [1, 2, 3, 4] },
  {
    what: "two more epochs of averaged weights",
    first: { emaDecay: 0.9 },
    next: { emaDecay: 0.9, epochs: 6 },
    executed: [5, 6]
  },
  { what: "averages of another decay", first: { emaDecay: 0.9 }, next: {}, executed: [1, 2, 3, 4] },
  { what: "micro-batches", first: {}, next: { microBatchSize: 4 }, executed: [1, 2, 3, 4] },
  { what: "branches that start at 0", first: {}, next: { zeroGamma: true }, executed: [1, 2, 3, 4] }
]

describe("training after another run", () => {
  it.effect.each(cases)("$what: executes $executed, to the bytes of a run from scratch", (one) =>
    Effect.gen(function* () {
      yield* trained(one.first)
      const { classifier, executed, notes } = yield* trained(one.next)
      assert.deepStrictEqual(executed, one.executed)
      const found = one.executed[0]! - 1
      assert.deepStrictEqual(notes, found === 0 ? [] : [`resumes after epoch ${found}`])
      const whole = yield* fromScratch(one.next)
      assert.lengthOf(whole.executed, trainingOf(one.next).epochs)
      assert.deepStrictEqual(classifier, whole.classifier)
    }).pipe(Effect.provide(storage))
  )

  it.effect("three tails of one trunk execute the trunk once", () =>
    Effect.gen(function* () {
      const tails = [0.1, 0.3, 0.5].map((factor) => ({ epochs: 5, lrSchedule: step([4], factor) }))
      const counts = []
      for (const tail of tails) counts.push((yield* trained(tail)).executed.length)
      assert.deepStrictEqual(counts, [5, 1, 1])
    }).pipe(Effect.provide(storage))
  )
})

/** Computes the same, and says that it is something else. */
const renamed = Layer.effect(
  TensorRuntime,
  Effect.map(TensorRuntime, (runtime) => ({
    ...runtime,
    numerics: { backend: "other", library: "library 2", threads: 4 }
  }))
).pipe(Layer.provide(portable.layer))

describe("training that goes on elsewhere", () => {
  it.effect("says so, and its result names all that it was computed with", () =>
    Effect.gen(function* () {
      const numericsOf = ({ provenance }: { readonly provenance: ReadonlyArray<Schema.JsonObject> }) =>
        provenance.map(({ earlierNumerics, numerics }) => ({ earlierNumerics, numerics }))
      const first = yield* trained({})
      const { numerics } = yield* Effect.provide(TensorRuntime, portable.layer)
      assert.deepStrictEqual(numericsOf(first), [{ earlierNumerics: undefined, numerics }])
      const further = yield* trained({ epochs: 5 }, renamed)
      const other = { backend: "other", library: "library 2", threads: 4 }
      assert.deepStrictEqual(numericsOf(further), [{ earlierNumerics: [numerics], numerics: other }])
      assert.deepStrictEqual(further.notes, [
        "resumes after epoch 4",
        `it was computed with ${numerics.backend} (${numerics.library}), threads ${numerics.threads} ` +
          "so far, and goes on with other (library 2), threads 4"
      ])
      // All its epochs are stored: nothing is computed, so nothing goes on.
      const whole = yield* trained({ epochs: 5 })
      assert.deepStrictEqual(whole.notes, ["resumes after epoch 5"])
      assert.deepStrictEqual(numericsOf(whole), numericsOf(further))
    }).pipe(Effect.provide(storage))
  )
})

describe("a trick that is off", () => {
  it.effect("changes no bit, whether it is named or left out", () =>
    Effect.gen(function* () {
      const off: Changes = {
        ...{ labelSmoothing: 0, mixup: 0, cutmix: 0, cutmixShare: 0.5, mixingProbability: 1 },
        labelSmoothingForm: "paper",
        mixingPer: "batch",
        unmixedEpochs: 0,
        loss: "cross-entropy",
        targetThreshold: null,
        augment: {
          ...{ pad: 1, flip: true, resizedCrop: null, autoAugment: null, colour: null, pcaNoise: 0 },
          erasing: null
        },
        imageSizes: null,
        stochasticDepth: 0
      }
      assert.deepStrictEqual(
        Schema.encodeSync(TrainingParams)(trainingOf(off)),
        Schema.encodeSync(TrainingParams)(trainingOf({}))
      )
      assert.deepStrictEqual((yield* fromScratch(off)).classifier, (yield* fromScratch({})).classifier)
    })
  )
})

describe("zeroGamma", () => {
  it.effect("starts the last normalisation of every block at 0", () =>
    Effect.gen(function* () {
      const { classifier } = yield* trained({ epochs: 1, learningRate: 0, zeroGamma: true })
      const { arrays } = yield* decodeSafetensors(yield* (yield* BlobStore).get(classifier.weights))
      for (const [bn, gamma] of [
        ["bn1", 1],
        ["bn2", 0]
      ] as const) {
        for (const layer of [1, 2, 3]) {
          const { values } = arrays[`layer${layer}.0.${bn}.weight`]!
          assert.isTrue(values.every((value) => value === gamma))
        }
      }
    }).pipe(Effect.provide(storage))
  )
})

describe("emaDecay", () => {
  it.effect("makes the averages the artifact's weights: with the slowest, those it started from", () =>
    Effect.gen(function* () {
      const fcOf = Effect.fnUntraced(function* (changes: Changes) {
        const { classifier } = yield* trained({ epochs: 1, ...changes })
        const { arrays } = yield* decodeSafetensors(yield* (yield* BlobStore).get(classifier.weights))
        return arrays["fc.weight"]!.values as Float32Array
      })
      const first = yield* fcOf({ learningRate: 0 })
      const apart = (values: Float32Array) =>
        Math.max(...values.map((value, at) => Math.abs(value - first[at]!)))
      assert.isBelow(apart(yield* fcOf({ emaDecay: 0.999_999 })), 1e-5)
      assert.isAbove(apart(yield* fcOf({})), 1e-3)
    }).pipe(Effect.provide(storage))
  )
})

describe("a state within an epoch", () => {
  it.effect("is gone on from only where no later epoch is stored", () =>
    Effect.gen(function* () {
      const whole = yield* fromScratch({})
      const record = { executed: [], notes: [] as Array<string> }
      const saved = yield* Ref.make(Option.none<Uint8Array>())
      const asked = yield* Ref.make(0)
      /** Stops when it is asked for the n-th time; three steps are an epoch. */
      const job = (asks: number) =>
        Effect.gen(function* () {
          yield* Ref.set(asked, 0)
          return JobContext.of({
            ...(yield* foldingJob("job", record)),
            stopRequested: Ref.modify(asked, (count) => [count >= asks, count + 1] as const),
            loadResumePoint: Ref.get(saved),
            saveResumePoint: (bytes) => Ref.set(saved, Option.some(bytes))
          })
        })
      const run = (asks: number) =>
        Effect.gen(function* () {
          const params = { architecture, training: trainingOf({}) }
          return yield* pretrain({ params, inputs: { dataset: yield* dataset } })
        }).pipe(Effect.provideServiceEffect(JobContext, job(asks)), Effect.provide(services))
      assert.strictEqual((yield* Effect.flip(run(4)))._tag, "JobStopped")
      assert.deepStrictEqual(yield* run(100), whole.classifier)
      assert.deepStrictEqual(record.notes, ["resumes after epoch 1, step 1"])
      assert.deepStrictEqual(yield* run(100), whole.classifier)
      assert.deepStrictEqual(record.notes.slice(1), ["resumes after epoch 4"])
      assert.deepStrictEqual(record.executed, [1, 2, 3, 4])
    }).pipe(Effect.provide(storage))
  )
})

describe("distilling after another run", () => {
  it.effect("two more epochs execute those; another temperature shares nothing", () =>
    Effect.gen(function* () {
      const { classifier: teacher } = yield* trained({ epochs: 1 })
      const distilled = Effect.fnUntraced(function* (changes: Changes, temperature: number) {
        const record: { readonly executed: Array<number>; readonly notes: Array<string> } = {
          executed: [],
          notes: []
        }
        const params = DistillParams.make({ architecture, temperature, training: trainingOf(changes) })
        const student: typeof ClassifierValue.Type = yield* distill({
          params,
          inputs: { dataset: yield* dataset, teacher }
        }).pipe(
          Effect.provideServiceEffect(JobContext, foldingJob(JSON.stringify([changes, temperature]), record)),
          Effect.provide(services)
        )
        return { student, executed: record.executed }
      })
      yield* distilled({ epochs: 2 }, 4)
      const extended = yield* distilled({}, 4)
      assert.deepStrictEqual(extended.executed, [3, 4])
      assert.deepStrictEqual((yield* distilled({}, 2)).executed, [1, 2, 3, 4])
    }).pipe(Effect.provide(storage))
  )
})

describe("the warm-up of a teacher", () => {
  it.effect("acts epoch by epoch, and over one epoch changes nothing", () =>
    Effect.gen(function* () {
      const { classifier: teacher } = yield* trained({ epochs: 1 })
      const executed: Array<number> = []
      const taught = Effect.fnUntraced(function* (warmupEpochs: number, epochs: number) {
        const params = Schema.decodeSync(DistillParams)({
          ...{ architecture, training: Schema.encodeSync(TrainingParams)(trainingOf({ epochs })) },
          ...{ combination: { form: "decoupled", warmupEpochs }, teacherTop1: 0 }
        })
        executed.length = 0
        const job = foldingJob(JSON.stringify(params), { executed, notes: [] })
        const { history, weights } = yield* distill({
          params,
          inputs: { dataset: yield* dataset, teacher }
        }).pipe(Effect.provideServiceEffect(JobContext, job), Effect.provide(services))
        return { weights: weights.blob, losses: history.map(({ train }) => train.loss!) }
      })
      const [plain, ofOne, ofFour] = [yield* taught(0, 2), yield* taught(1, 2), yield* taught(4, 2)]
      assert.deepStrictEqual(ofOne, plain)
      assert.isBelow(ofFour.losses[0]!, plain.losses[0]!)
      assert.notStrictEqual(ofFour.weights, plain.weights)
      yield* taught(4, 3)
      assert.deepStrictEqual(executed, [3], "epochs before are shared")
    }).pipe(Effect.provide(storage))
  )
})
