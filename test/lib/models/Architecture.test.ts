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

  it.effect("a variant and an output stride stay away where they are the usual ones", () =>
    Effect.gen(function* () {
      const plain = { family: "resnet", depth: 50, width: 64 } as const
      const usual = { ...plain, variant: "B", outputStride: 32 } as const
      assert.deepStrictEqual(yield* decode(usual), Result.succeed(plain))
      assert.deepStrictEqual(yield* Schema.encodeEffect(Architecture)(usual), plain)
      const chosen = { ...plain, variant: "D", outputStride: 8 } as const
      assert.deepStrictEqual(yield* decode(chosen), Result.succeed(chosen))
      assert.deepStrictEqual(yield* Schema.encodeEffect(Architecture)(chosen), chosen)
    })
  )

  it.effect("a CIFAR ResNet's stem may be narrower than its first group", () =>
    Effect.gen(function* () {
      const x4 = { family: "resnet-cifar", depth: 8, width: 64, stem: 32, shortcut: "B" } as const
      assert.deepStrictEqual(yield* decode(x4), Result.succeed(x4))
    })
  )

  for (const [what, input, message] of [
    ["a depth that is not 6n + 2", { family: "resnet-cifar", depth: 18 }, /6n \+ 2.*got 18/],
    ["a depth of 2", { family: "resnet-cifar", depth: 2 }, /6n \+ 2/],
    ["a width of 0", { family: "resnet-cifar", depth: 8, width: 0 }, /from 1 to 1024/],
    ["a ResNet of a depth it does not come in", { family: "resnet", depth: 20 }, /18/],
    ["a ResNet's shortcut, which is no choice", { family: "resnet", depth: 18, shortcut: "A" }, /shortcut/],
    ["ResNet-A of basic blocks", { family: "resnet", depth: 34, variant: "A" }, /choose B, C or D/],
    ["ResNet-S of basic blocks", { family: "resnet", depth: 18, variant: "S" }, /choose B, C or D/],
    ["a variant that is none", { family: "resnet", depth: 50, variant: "E" }, /variant/],
    ["an output stride that is none", { family: "resnet", depth: 50, outputStride: 4 }, /outputStride/],
    ["a dilated CIFAR ResNet", { family: "resnet-cifar", depth: 8, outputStride: 8 }, /outputStride/],
    [
      "a stem as wide as the first group",
      { family: "resnet-cifar", depth: 8, stem: 16 },
      /narrower.*left out/
    ],
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
