/** What users test their stages and pipelines with, used as they use it. */
import { Effect, Schema } from "effect"
import { assert, describe, it } from "vitest"
import { makeMemoryStore, runPipeline, runStage } from "../../../infra/entries/testing.ts"
import { decodeLabelledImages, encodeLabelledImages } from "../../../lib/data/labelled-images.ts"
import { blobsOfSplit } from "../../../lib/data/PreparedSplit.ts"
import { BlobStore } from "../../../lib/storage/BlobStore.ts"
import * as Artifact from "../../../lib/workflow/Artifact.ts"
import { JobContext, JobStopped } from "../../../lib/workflow/JobContext.ts"
import * as Pipeline from "../../../lib/workflow/Pipeline.ts"
import * as Stage from "../../../lib/workflow/Stage.ts"
import { PreparedDataset } from "../../../stages/artifacts.ts"
import { Ingest } from "../../../stages/ingest.ts"
import { Preprocess } from "../../../stages/preprocess.ts"
import { Pretrain } from "../../../stages/pretrain.ts"

class TooFew extends Schema.TaggedError<TooFew>()("TooFew", { message: Schema.String }) {}

const Balance = Artifact.type("balance", Schema.Struct({ counts: Schema.Array(Schema.Int) }))
const inputs = { dataset: PreparedDataset.classification }

interface Args {
  readonly params: { readonly atLeast: number }
  readonly inputs: Stage.ValuesOf<typeof inputs>
}

const ClassBalance = Stage.make("class-balance", {
  params: Schema.Struct({ atLeast: Schema.Int }),
  inputs,
  output: Balance,
  run: () =>
    Promise.resolve({
      run: Effect.fn("class-balance")(function* ({ inputs: { dataset }, params }: Args) {
        const job = yield* JobContext
        if (yield* job.stopRequested) return yield* new JobStopped({ message: "stopped" })
        const bytes = yield* (yield* BlobStore).get(blobsOfSplit(dataset.train)[0]!)
        const { labels } = yield* decodeLabelledImages(bytes)
        const counts = dataset.classes.map((_, index) => labels.filter((label) => label === index).length)
        if (Math.min(...counts) < params.atLeast) return yield* new TooFew({ message: `only ${counts}` })
        yield* job.note(`${labels.length} images`)
        yield* job.provenance({ looked: true })
        return { counts }
      })
    })
})

/** Three grey images of two pixels, in a store. */
const prepared = async () => {
  const store = makeMemoryStore()
  const bytes = encodeLabelledImages({
    ...{ height: 1, width: 2, channels: 1 },
    images: Uint8Array.of(0, 1, 2, 3, 4, 5),
    labels: Int32Array.of(0, 1, 1)
  })
  const split = { numExamples: 3, tensors: await store.put(bytes) }
  const dataset = {
    ...{ _tag: "PreparedDataset" as const, task: "classification" as const, classes: ["a", "b"] },
    preprocessing: { height: 1, width: 2, channels: 1, fit: "stretch", mean: [0], std: [1] } as const,
    ...{ train: split, validation: null, test: split, quarantined: [], counts: {} }
  }
  return { store, dataset }
}

describe("running a stage", () => {
  it("gives its value, and what it said", async () => {
    const { dataset, store } = await prepared()
    const run = await runStage(ClassBalance, { params: { atLeast: 1 }, inputs: { dataset }, store })
    const counts: ReadonlyArray<number> = run.value.counts
    assert.deepStrictEqual(counts, [1, 2])
    assert.deepStrictEqual([run.notes, run.provenance], [["3 images"], { looked: true }])
  })

  it.each([
    [{ atLeast: 2 }, undefined, /TooFew/],
    [{ atLeast: "2" }, undefined, /DefinitionError/],
    [{ atLeast: 1 }, AbortSignal.abort(), /JobInterrupted/]
  ])("rejects with the error of the job: %o", async (params, signal, expected) => {
    const { dataset, store } = await prepared()
    const args = { params: params as { readonly atLeast: number }, inputs: { dataset }, store }
    const error = await runStage(ClassBalance, { ...args, ...(signal && { signal }) }).then(
      () => assert.fail("it did not reject"),
      (reason: { readonly _tag: string; readonly errorTag?: string }) => reason
    )
    assert.match(error.errorTag ?? error._tag, expected)
  })

  it("rejects where a blob is not in the store", async () => {
    const { dataset } = await prepared()
    const run = runStage(ClassBalance, { params: { atLeast: 1 }, inputs: { dataset } })
    await run.then(
      () => assert.fail("it did not reject"),
      (error: Error) => assert.match(error.message, /blobs\/sha256/)
    )
  })

  it("offers the real services", async () => {
    const source = { _tag: "Scenes", numTrain: 8, numTest: 8, size: 16 } as const
    const made = await runStage(Ingest, { params: { source }, inputs: {} })
    assert.strictEqual(made.value.splits.train?.numExamples, 8)
    const params = { height: 16, width: 16, channels: 3 } as const
    const { value } = await runStage(Preprocess, {
      params,
      inputs: { dataset: made.value },
      store: made.store
    })
    assert.deepStrictEqual([value.train.numExamples, value.test.numExamples], [8, 8])
  })
})

const images = Ingest({
  params: { source: { _tag: "Scenes", numTrain: 32, numTest: 8, size: 16 } },
  inputs: {}
})
const dataset = Preprocess({
  params: { height: 16, width: 16, channels: 3, validation: 0 },
  inputs: { dataset: images }
})
const training = { epochs: 1, batchSize: 16, warmupEpochs: 0 }
const model = Pretrain({
  params: { architecture: { family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" }, training },
  inputs: { dataset }
})
const balanceOf = (atLeast: number) => ClassBalance({ params: { atLeast }, inputs: { dataset } })

describe("running a pipeline", () => {
  it("gives what each job made; in the same store the next run is hits", async () => {
    const balance = balanceOf(1)
    const refs = { images, dataset, balance, model }
    const first = await runPipeline(Pipeline.make("mine", "a toy", refs))
    assert.deepStrictEqual(first.outputOf(balance).counts, [4, 4, 4, 4, 4, 4, 4, 4])
    assert.strictEqual(first.outputOf(model).history.length, 1)
    assert.deepStrictEqual(Object.values(first.states), ["ran", "ran", "ran", "ran"])
    const changed = Pipeline.make("mine", "a toy", { ...refs, balance: balanceOf(2) })
    const { states } = await runPipeline(changed, { store: first.store })
    assert.deepStrictEqual(states, { images: "hit", dataset: "hit", balance: "ran", model: "hit" })
    assert.throws(() => first.outputOf(balanceOf(3)), /no job of the pipeline/)
  })

  it("runs what is selected", async () => {
    const pipeline = Pipeline.make("mine", "a toy", { images, dataset, model })
    const { states, outputOf } = await runPipeline(pipeline, { selection: { to: ["dataset"] } })
    assert.deepStrictEqual(Object.keys(states), ["images", "dataset"])
    assert.throws(() => outputOf(model), /"model" has made nothing/)
  })

  it("rejects with the job that failed and why", async () => {
    const pipeline = Pipeline.make("mine", "a toy", { images, dataset, balance: balanceOf(5) })
    await runPipeline(pipeline).then(
      () => assert.fail("it did not reject"),
      (error: Error) => assert.match(error.message, /^Job "balance" .* failed: only 4,4/)
    )
  })
})
