import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { InceptionV3, MobileNetV1, type ResNet } from "../../../lib/models/Architecture.ts"
import { loadClassifier } from "../../../lib/models/Classifier.ts"

/**
 * paper-facts §4.2: depth, parameters of A for 10 and 100 classes, of B, millions of MACs (B, 10 classes,
 * 32x32x3).
 */
const table = [
  [8, 75_290, 81_140, 78_042, 83_892, 12.5],
  [14, 172_506, 178_356, 175_258, 181_108, 26.66],
  [20, 269_722, 275_572, 272_474, 278_324, 40.81],
  [32, 464_154, 470_004, 466_906, 472_756, 69.12],
  [44, 658_586, 664_436, 661_338, 667_188, 97.44],
  [56, 853_018, 858_868, 855_770, 861_620, 125.75],
  [110, 1_727_962, 1_733_812, 1_730_714, 1_736_564, 253.15]
] as const

const classifier = (depth: number, shortcut: "A" | "B", numClasses: number, width = 16, imageChannels = 3) =>
  loadClassifier({
    architecture: { family: "resnet-cifar", depth, width, shortcut },
    imageChannels,
    numClasses
  })

describe("the CIFAR ResNets' sizes", () => {
  for (const [depth, a10, a100, b10, b100, millions] of table) {
    it.effect(`ResNet-${depth} has the published parameters and MACs`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* classifier(depth, "A", 10)).parameters, a10)
        assert.strictEqual((yield* classifier(depth, "A", 100)).parameters, a100)
        assert.strictEqual((yield* classifier(depth, "B", 100)).parameters, b100)
        const projected = yield* classifier(depth, "B", 10)
        assert.strictEqual(projected.parameters, b10)
        assert.strictEqual(Math.round(projected.macs(32, 32) / 1e4) / 100, millions)
      })
    )
  }

  it.effect("counts MACs by hand: ResNet-8 of width 8 on 28x28x1", () =>
    Effect.gen(function* () {
      const student = yield* classifier(8, "B", 10, 8, 1)
      const stem = 9 * 1 * 8 * 784
      const group1 = 2 * 9 * 8 * 8 * 784
      const group2 = (9 * 8 * 16 + 9 * 16 * 16 + 8 * 16) * 196
      const group3 = (9 * 16 * 32 + 9 * 32 * 32 + 16 * 32) * 49
      assert.strictEqual(student.macs(28, 28), stem + group1 + group2 + group3 + 32 * 10)
    })
  )

  it.effect("odd sizes round up at every stride", () =>
    Effect.gen(function* () {
      const student = yield* classifier(8, "A", 10, 8, 1)
      const [c2, c3, c4] = [9 * 9, 5 * 5, 3 * 3]
      const expected = (9 * 8 + 2 * 9 * 64) * c2 + (9 * 128 + 9 * 256) * c3 + (9 * 512 + 9 * 1024) * c4 + 320
      assert.strictEqual(student.macs(9, 9), expected)
    })
  )
})

/** Parameters and millions of MACs of RepDistiller's networks (paper-facts §4.2): 100 classes, 32x32x3. */
describe("the wide CIFAR ResNets' sizes", () => {
  for (const [depth, parameters, millions] of [
    [8, 1_233_540, 177.07],
    [32, 7_433_860, 1083.04]
  ] as const) {
    it.effect(`resnet${depth}x4 has the published parameters and MACs`, () =>
      Effect.gen(function* () {
        const made = yield* loadClassifier({
          architecture: { family: "resnet-cifar", depth, width: 64, stem: 32, shortcut: "B" },
          imageChannels: 3,
          numClasses: 100
        })
        assert.strictEqual(made.parameters, parameters)
        assert.strictEqual(Math.round(made.macs(32, 32) / 1e4) / 100, millions)
      })
    )
  }
})

/** 18 and 34 as torchvision 0.29 counts them, the others by paper-facts §4.1; 224x224x3, 1000 classes. */
const resnets: ReadonlyArray<readonly [ResNet["depth"], NonNullable<ResNet["variant"]>, number, number]> = [
  [18, "B", 11_689_512, 1814.07],
  [34, "B", 21_797_672, 3663.76],
  [50, "A", 25_557_032, 3857.97],
  [50, "B", 25_557_032, 4089.18],
  [50, "C", 25_576_264, 4328.82],
  [50, "D", 25_576_264, 4328.82],
  [50, "S", 25_680_808, 5444.34],
  [101, "A", 44_549_160, 7570.19],
  [101, "B", 44_549_160, 7801.41],
  [101, "C", 44_568_392, 8041.05],
  [101, "D", 44_568_392, 8041.05],
  [152, "A", 60_192_808, 11282.42],
  [152, "B", 60_192_808, 11513.63],
  [152, "C", 60_212_040, 11753.27],
  [152, "D", 60_212_040, 11753.27]
]

describe("the ResNets' sizes", () => {
  for (const [depth, variant, parameters, millions] of resnets) {
    it.effect(`ResNet-${depth}-${variant} has the published parameters and MACs`, () =>
      Effect.gen(function* () {
        const made = yield* loadClassifier({
          architecture: { family: "resnet", depth, width: 64, variant },
          imageChannels: 3,
          numClasses: 1000
        })
        assert.strictEqual(made.parameters, parameters)
        assert.strictEqual(Math.round(made.macs(224, 224) / 1e4) / 100, millions)
      })
    )
  }
})

describe("the sizes of MobileNet-V1 and Inception-V3", () => {
  /** paper-facts §4.3, at 224x224: width, parameters, millions of MACs. */
  for (const [width, parameters, millions] of [
    [1, 4_231_976, 568.74],
    [0.75, 2_585_560, 325.4],
    [0.5, 1_331_592, 149.5],
    [0.25, 470_072, 41.03]
  ] as const) {
    it.effect(`MobileNet-V1 of width ${width} has the published parameters and MACs`, () =>
      Effect.gen(function* () {
        const made = yield* loadClassifier({
          architecture: MobileNetV1.make({ family: "mobilenet-v1", width }),
          imageChannels: 3,
          numClasses: 1000
        })
        assert.strictEqual(made.parameters, parameters)
        assert.strictEqual(Math.round(made.macs(224, 224) / 1e4) / 100, millions)
      })
    )
  }

  /** §4.4, at 299x299; the auxiliary classifier takes no part in a forward pass. */
  for (const [auxiliary, parameters] of [
    [false, 23_834_568],
    [true, 27_161_264]
  ] as const) {
    it.effect(`Inception-V3 with${auxiliary ? "" : "out"} auxiliary classifier has the published ones`, () =>
      Effect.gen(function* () {
        const made = yield* loadClassifier({
          architecture: InceptionV3.make({ family: "inception-v3", auxiliary }),
          imageChannels: 3,
          numClasses: 1000
        })
        assert.strictEqual(made.parameters, parameters)
        assert.strictEqual(Math.round(made.macs(299, 299) / 1e4) / 100, 5713.22)
      })
    )
  }
})
