/** What the compiler refuses: wrong wiring and wrong params do not reach a run. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Artifact from "../../../lib/workflow/Artifact.ts"
import * as Stage from "../../../lib/workflow/Stage.ts"

const Dataset = Artifact.type("dataset", Schema.TaggedStruct("Dataset", { rows: Schema.Int }))
const Checkpoint = Artifact.type("checkpoint", Schema.TaggedStruct("Checkpoint", { top1: Schema.Number }))

const ingest = Stage.make("ingest", {
  params: Schema.Struct({ source: Schema.String }),
  inputs: {},
  output: Dataset,
  run: () =>
    Promise.resolve({
      run: (args: { readonly params: { readonly source: string } }) =>
        Effect.succeed({ _tag: "Dataset" as const, rows: args.params.source.length })
    })
})
const train = Stage.make("train", {
  params: Schema.Struct({ backbone: Schema.Literals(["resnet18", "resnet50"]), epochs: Schema.Int }),
  inputs: { dataset: Dataset, others: Stage.many(Checkpoint) },
  output: Checkpoint,
  run: () =>
    Promise.resolve({
      run: (args: { readonly inputs: { readonly dataset: { readonly rows: number } } }) =>
        Effect.succeed({ _tag: "Checkpoint" as const, top1: args.inputs.dataset.rows })
    })
})

const dataset = ingest({ params: { source: "x" }, inputs: {} })
const params = { backbone: "resnet18", epochs: 1 } as const
const teacher = train({ params, inputs: { dataset, others: {} } })
train({ params, inputs: { dataset, others: { teacher } } })

describe("wiring is typed", () => {
  it("a checkpoint is not a dataset", () => {
    assert.throws(
      // @ts-expect-error a checkpoint is not a dataset
      () => train({ params, inputs: { dataset: teacher, others: {} } }),
      /its input "dataset" takes dataset, not the checkpoint of stage "train"/
    )
  })

  it("an input may not be left out, nor a dataset be among many checkpoints", () => {
    // @ts-expect-error `others` is missing
    assert.throws(() => train({ params, inputs: { dataset } }), /its input "others" is missing/)
    assert.throws(
      // @ts-expect-error a dataset is not a checkpoint
      () => train({ params, inputs: { dataset, others: { dataset } } }),
      /its input "others" takes checkpoint, not the dataset/
    )
  })

  it("a body that makes something else does not compile", () => {
    const wrong = () =>
      Promise.resolve({ run: () => Effect.succeed({ _tag: "Checkpoint" as const, top1: 1 }) })
    // @ts-expect-error the body makes a checkpoint where the contract promises a dataset
    const stage = Stage.make("wrong", { params: Schema.Struct({}), inputs: {}, output: Dataset, run: wrong })
    assert.strictEqual(stage.stageName, "wrong")
  })

  it("an unknown backbone and an unknown param neither compile nor run", () => {
    assert.throws(
      // @ts-expect-error unknown backbone
      () => train({ params: { backbone: "resnet51", epochs: 1 }, inputs: { dataset, others: {} } }),
      /backbone/
    )
    assert.throws(
      // @ts-expect-error unknown param
      () => train({ params: { ...params, epoch: 1 }, inputs: { dataset, others: {} } }),
      /epoch/
    )
  })
})
