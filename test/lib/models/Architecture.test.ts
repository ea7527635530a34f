import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { Architecture, ResNet, ResNetCifar } from "../../../lib/models/Architecture.ts"

const decode = (input: unknown) =>
  Schema.decodeUnknownEffect(Architecture)(input, { onExcessProperty: "error" }).pipe(Effect.result)

describe("Architecture", () => {
  it.effect("fills in the usual width and shortcut", () =>
    Effect.gen(function* () {
      const full = { family: "resnet-cifar", depth: 20, width: 16, shortcut: "B" } as const
      assert.deepStrictEqual(yield* decode({ family: "resnet-cifar", depth: 20 }), Result.succeed(full))
      assert.deepStrictEqual(ResNetCifar.make({ family: "resnet-cifar", depth: 20 }), full)
    })
  )

  it.effect("a ResNet is 64 wide unless it says otherwise", () =>
    Effect.gen(function* () {
      const full = { family: "resnet", depth: 34, width: 64 } as const
      assert.deepStrictEqual(yield* decode({ family: "resnet", depth: 34 }), Result.succeed(full))
      assert.deepStrictEqual(ResNet.make({ family: "resnet", depth: 34 }), full)
    })
  )

  for (const [what, input, message] of [
    ["a depth that is not 6n + 2", { family: "resnet-cifar", depth: 18 }, /6n \+ 2.*got 18/],
    ["a depth of 2", { family: "resnet-cifar", depth: 2 }, /6n \+ 2/],
    ["a width of 0", { family: "resnet-cifar", depth: 8, width: 0 }, /from 1 to 1024/],
    ["a ResNet of a depth it does not come in", { family: "resnet", depth: 20 }, /18/],
    ["a ResNet's shortcut, which is no choice", { family: "resnet", depth: 18, shortcut: "A" }, /shortcut/],
    ["an unknown family", { family: "resnet-51", depth: 8 }, /resnet-cifar/],
    ["an unknown key", { family: "resnet-cifar", depth: 8, layers: 3 }, /layers/]
  ] as const) {
    it.effect(`refuses ${what}`, () =>
      Effect.map(decode(input), (result) => {
        assert.isTrue(Result.isFailure(result))
        if (Result.isFailure(result)) assert.match(result.failure.message, message)
      })
    )
  }
})
