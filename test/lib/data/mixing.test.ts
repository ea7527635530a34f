import { assert, describe, it } from "@effect/vitest"
import { drawMix, type MixableBatch, type Mixing, makeMixer } from "../../../lib/data/mixing.ts"
import { writeTargets } from "../../../lib/losses/targets.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"

const mixingOf = (changes: Partial<Mixing>): Mixing => ({
  mixup: 0.2,
  cutmix: 0,
  cutmixShare: 0.5,
  per: "batch",
  probability: 1,
  endEpoch: 100,
  ...changes
})

const [height, width, channels, numClasses] = [6, 4, 2, 5]
const pixels = height * width * channels

/** Image `e` is all `10 e + column / 8`, its label is `e % 5`, smoothed. */
const batchOf = (examples: ReadonlyArray<number>): MixableBatch => {
  const targets = new Float32Array(examples.length * numClasses)
  writeTargets(
    targets,
    examples.map((example) => example % numClasses),
    numClasses,
    { labelSmoothing: 0.1 }
  )
  return {
    images: Float32Array.from(
      { length: examples.length * pixels },
      (_, at) => 10 * examples[Math.floor(at / pixels)]! + (Math.floor(at / channels) % width) / 8
    ),
    targets,
    examples: Int32Array.from(examples),
    height,
    width
  }
}

const mixed = (mixing: Mixing, examples: ReadonlyArray<number>, epoch = 0, step = 0) => {
  const batch = batchOf(examples)
  makeMixer(mixing, RandomStream.make(3, "mixing"))({ epoch, step }, batch)
  return batch
}

/** What an image keeps of itself, read off its target; its label and its partner's must differ. */
const keptOf = ({ targets }: MixableBatch, slot: number, example: number) => {
  const elsewhere = 0.1 / (numClasses - 1)
  return (targets[slot * numClasses + (example % numClasses)]! - elsewhere) / (0.9 - elsewhere)
}

const imageOf = ({ images }: MixableBatch, slot: number) =>
  images.subarray(slot * pixels, (slot + 1) * pixels)

describe("mixup", () => {
  it("mixes slot k with slot B - 1 - k by one share for the whole batch, smoothed targets alike", () => {
    const examples = [0, 1, 2, 3, 4, 6]
    const plain = batchOf(examples)
    const batch = mixed(mixingOf({}), examples)
    const kept = keptOf(batch, 0, 0)
    assert.isTrue(kept > 0 && kept < 1)
    for (const slot of examples.keys()) {
      const partner = examples.length - 1 - slot
      for (const name of ["images", "targets"] as const) {
        const size = name === "images" ? pixels : numClasses
        for (let at = 0; at < size; at++) {
          const [a, b] = [plain[name][slot * size + at]!, plain[name][partner * size + at]!]
          assert.approximately(batch[name][slot * size + at]!, kept * a + (1 - kept) * b, 1e-5)
        }
      }
    }
  })

  it("computes by hand what two labels come to: K = 5, ε = 0.1, a share of 0.25", () => {
    const batch = batchOf([0, 1])
    const [share, mixing] = [0.25, mixingOf({})]
    // The stream is searched for a share near the wanted one, so that the real path is taken.
    const stream = RandomStream.make(3, "mixing")
    const shareAt = (step: number) => drawMix(stream.derive(0).derive(step), mixing, batch).kept
    const step = Array.from({ length: 5000 }, (_, at) => at).reduce((best, at) =>
      Math.abs(shareAt(at) - share) < Math.abs(shareAt(best) - share) ? at : best
    )
    const { targets } = mixed(mixing, [0, 1], 0, step)
    // 0.25 · 0.9 + 0.75 · 0.025 = 0.24375; 0.75 · 0.9 + 0.25 · 0.025 = 0.68125; elsewhere 0.025.
    const expected = [0.24375, 0.68125, 0.025, 0.025, 0.025, 0.68125, 0.24375, 0.025, 0.025, 0.025]
    for (const [at, value] of expected.entries()) assert.approximately(targets[at]!, value, 1e-3)
  })

  it("decides by epoch and step for a batch", () => {
    const of = (epoch: number, step: number) => mixed(mixingOf({}), [0, 1, 2, 3], epoch, step)
    assert.deepStrictEqual(of(2, 5), of(2, 5))
    assert.notDeepEqual(of(2, 5).images, of(2, 6).images)
    assert.notDeepEqual(of(2, 5).images, of(3, 5).images)
  })

  it("decides by epoch and example for each image, wherever it lies", () => {
    const mixing = mixingOf({ per: "example" })
    const here = mixed(mixing, [0, 1, 2, 3], 1, 0)
    const there = mixed(mixing, [1, 0, 3, 2], 1, 9)
    for (const [slot, other] of [
      [0, 1],
      [1, 0],
      [2, 3],
      [3, 2]
    ] as const) {
      assert.approximately(keptOf(here, slot, slot), keptOf(there, other, slot), 1e-6)
    }
    assert.isAbove(Math.abs(keptOf(here, 0, 0) - keptOf(here, 1, 1)), 1e-3)
    assert.notDeepEqual(mixed(mixing, [0, 1, 2, 3], 2, 0).images, here.images)
  })

  it("leaves the middle image of an odd batch, and all of them from the last epoch on", () => {
    const plain = batchOf([0, 1, 2])
    assert.deepStrictEqual(imageOf(mixed(mixingOf({}), [0, 1, 2]), 1), imageOf(plain, 1))
    assert.deepStrictEqual(mixed(mixingOf({ endEpoch: 7 }), [0, 1, 2], 7), plain)
    assert.notDeepEqual(mixed(mixingOf({ endEpoch: 7 }), [0, 1, 2], 6), plain)
  })
})

describe("CutMix", () => {
  it.each(["batch", "example"] as const)("swaps boxes and counts their area (per %s)", (per) => {
    const mixing = mixingOf({ mixup: 0, cutmix: 1, per })
    const shares = new Set<number>()
    for (let step = 0; step < 60; step++) {
      const examples = [0, 5 * step + 1, 5 * step + 2, 3]
      const [plain, batch] = [batchOf(examples), mixed(mixing, examples, 0, step)]
      for (const slot of examples.keys()) {
        const [own, others] = [imageOf(plain, slot), imageOf(plain, 3 - slot)]
        const image = imageOf(batch, slot)
        const isOwn = [...image].map((value, at) => value === own[at])
        assert.isTrue(image.every((value, at) => value === own[at] || value === others[at]))
        const kept = isOwn.filter((own) => own).length / pixels
        assert.approximately(keptOf(batch, slot, examples[slot]!), kept, 1e-5)
        // What was taken is a rectangle: as many rows as columns make up its area.
        const taken = isOwn.flatMap((own, at) => (own ? [] : [Math.floor(at / channels)]))
        const rows = new Set(taken.map((at) => Math.floor(at / width)))
        const columns = new Set(taken.map((at) => at % width))
        assert.strictEqual(rows.size * columns.size * channels, taken.length)
        shares.add(kept)
      }
    }
    assert.isAbove(shares.size, 5)
  })
})

describe("the choice between them", () => {
  const kinds = (changes: Partial<Mixing>) => {
    const random = RandomStream.make(4, "kinds")
    const counts = { none: 0, blend: 0, paste: 0 }
    for (let draw = 0; draw < 4000; draw++) {
      counts[drawMix(random.derive(draw), mixingOf(changes), { height: 8, width: 8 }).kind] += 1 / 4000
    }
    return counts
  }

  it("falls as often as the probabilities say", () => {
    const { blend, none, paste } = kinds({ cutmix: 1, probability: 0.6, cutmixShare: 0.25 })
    assert.approximately(none, 0.4, 0.04)
    assert.approximately(blend, 0.45, 0.04)
    assert.approximately(paste, 0.15, 0.03)
  })

  it("is none where one of them is off", () => {
    assert.deepStrictEqual(kinds({ cutmixShare: 1 }).paste, 0)
    assert.deepStrictEqual(kinds({ mixup: 0, cutmix: 1, cutmixShare: 0 }).blend, 0)
  })

  it("holds for each image where chance decides for each", () => {
    const mixing = mixingOf({ mixup: 1, cutmix: 1, per: "example" })
    const examples = Array.from({ length: 40 }, (_, at) => (at < 20 ? 5 * at : 5 * at + 1))
    const [plain, batch] = [batchOf(examples), mixed(mixing, examples)]
    for (const slot of examples.keys()) {
      const kept = keptOf(batch, slot, examples[slot]!)
      const [own, others] = [imageOf(plain, slot), imageOf(plain, 39 - slot)]
      const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / pixels
      assert.approximately(mean(imageOf(batch, slot)), kept * mean(own) + (1 - kept) * mean(others), 1)
    }
  })
})
