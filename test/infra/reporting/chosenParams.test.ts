import { Effect, Schema } from "effect"
import { assert, describe, it } from "vitest"
import { chosenParams } from "../../../infra/reporting/chosenParams.ts"
import { canonicalParams, type ParamsSchema } from "../../../lib/workflow/Stage.ts"
import { Pretrain } from "../../../stages/pretrain.ts"

const Params = Schema.Struct({
  seed: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))),
  sizes: Schema.Array(Schema.Int),
  inner: Schema.Struct({
    rate: Schema.Number.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0.1)))
  }).pipe(Schema.withDecodingDefaultKey(Effect.succeed({})))
})

describe("chosenParams", () => {
  it("leaves defaults out, at any depth", () => {
    assert.deepStrictEqual(chosenParams(Params, { seed: 0, sizes: [1], inner: { rate: 0.1 } }), {
      sizes: [1]
    })
    assert.deepStrictEqual(chosenParams(Params, { seed: 3, sizes: [], inner: { rate: 0.2 } }), {
      seed: 3,
      sizes: [],
      inner: { rate: 0.2 }
    })
  })

  it("gives back what was said of a stage of ours, but for what says the same as its default", () => {
    const said = {
      architecture: { family: "resnet-cifar", depth: 8, width: 4 },
      training: {
        epochs: 3,
        batchSize: 16,
        learningRate: 0.05,
        warmupEpochs: 0,
        weightDecay: 0,
        augment: { pad: 2, flip: true }
      }
    }
    const schema = Pretrain.params as unknown as ParamsSchema
    const canonical = canonicalParams("pretrain", schema, {
      ...said,
      training: { ...said.training, seed: 0 }
    })
    assert.isAbove(JSON.stringify(canonical).length, JSON.stringify(said).length)
    assert.deepStrictEqual(chosenParams(schema, canonical), said as never)
  })
})
