import { assert, describe, it } from "@effect/vitest"
import { actingAlways, epochElements, turningPoints } from "../../../lib/train/epoch-elements.ts"
import { learningRateAt } from "../../../lib/train/lr-schedules.ts"
import { TrainingParams } from "../../../lib/train/TrainingParams.ts"

type Changes = Partial<typeof TrainingParams.Type>

const stepsPerEpoch = 3
const optionsOf = (changes: Changes) => ({
  ...TrainingParams.make({ epochs: 10, warmupEpochs: 2, lrSchedule: { kind: "constant" } }),
  stepsPerEpoch,
  ...changes
})
const elementsOf = (changes: Changes) => epochElements(optionsOf(changes)).map((one) => JSON.stringify(one))

/** Epochs from the first on that are described alike. */
const numShared = (one: Changes, other: Changes) => {
  const [a, b] = [elementsOf(one), elementsOf(other)]
  const differs = a.findIndex((element, index) => element !== b[index])
  return differs < 0 ? a.length : differs
}

const step = (milestones: ReadonlyArray<number>, factor = 0.1) =>
  ({ kind: "step", milestones, factor }) as const

const polynomial = { lrSchedule: { kind: "polynomial", power: 2 } } as const

describe("the description of an epoch", () => {
  it("holds its number and the rates of its steps", () => {
    assert.deepStrictEqual(epochElements(optionsOf({ epochs: 3, learningRate: 6 })), [
      { epoch: 0, learningRates: [1, 2, 3], numSteps: [1, 1, 1] },
      { epoch: 1, learningRates: [4, 5, 6], numSteps: [1, 1, 1] },
      { epoch: 2, learningRates: [6], numSteps: [3] }
    ])
  })

  it.each(["cosine", "constant"] as const)("%s: says every rate that will act", (kind) => {
    const options = optionsOf({ lrSchedule: { kind } })
    const rates = epochElements(options).flatMap((element) => {
      const { learningRates, numSteps } = element as Record<string, ReadonlyArray<number>>
      return learningRates!.flatMap((rate, index) => Array.from({ length: numSteps![index]! }, () => rate))
    })
    assert.deepStrictEqual(
      rates,
      Array.from({ length: 10 * stepsPerEpoch }, (_, index) => learningRateAt(options, index))
    )
  })

  it.each<[what: string, one: Changes, other: Changes, shared: number]>([
    ["a constant rate over more epochs shares all of them", {}, { epochs: 12 }, 10],
    [
      "steps over more epochs share all of them",
      { lrSchedule: step([6, 8]) },
      { lrSchedule: step([6, 8]), epochs: 12 },
      10
    ],
    [
      "another factor acts from the milestone on",
      { lrSchedule: step([6]) },
      { lrSchedule: step([6], 0.2) },
      6
    ],
    ["a later milestone: from the earlier one on", { lrSchedule: step([6]) }, { lrSchedule: step([7]) }, 6],
    ["steps after a constant rate", {}, { lrSchedule: step([4]) }, 4],
    [
      "a cosine over more epochs shares the warm-up",
      { lrSchedule: { kind: "cosine" } },
      { lrSchedule: { kind: "cosine" }, epochs: 12 },
      2
    ],
    ["another schedule shares the warm-up", {}, { lrSchedule: { kind: "cosine" } }, 2],
    ["another peak shares nothing", {}, { learningRate: 0.2 }, 0],
    ["a polynomial over more epochs shares the warm-up", polynomial, { ...polynomial, epochs: 12 }, 2],
    ["the same rates said for another batch share all", {}, { learningRate: 0.2, baseBatchSize: 256 }, 10],
    ["GluonCV's form shares nothing", {}, { lrForm: "gluoncv" }, 0],
    ["another warm-up shares nothing", {}, { warmupEpochs: 1 }, 0]
  ])("%s", (_, one, other, shared) => assert.strictEqual(numShared(one, other), shared))
})

describe("what acts always", () => {
  it("is all but the number of epochs and what makes the learning rates", () => {
    const { augment, batchSize, gradientNormMax, initializer, labelSmoothing, momentum, ...more } =
      TrainingParams.make({ epochs: 10 })
    const { precision, seed, weightDecay } = more
    assert.deepStrictEqual(actingAlways(TrainingParams.make({ epochs: 10 })), {
      ...{ augment, batchSize, gradientNormMax, initializer, labelSmoothing, momentum },
      ...{ precision, seed, weightDecay }
    })
  })
})

describe("turning points", () => {
  it.each<[Changes, ReadonlyArray<number>]>([
    [{}, [2]],
    [{ lrSchedule: { kind: "cosine" }, warmupEpochs: 5 }, [5]],
    [{ lrSchedule: step([6, 8]) }, [2, 6, 8]],
    [{ lrSchedule: step([2, 8]) }, [2, 8]]
  ])("of %j", (changes, points) => assert.deepStrictEqual(turningPoints(optionsOf(changes)), points))
})
