import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Augment } from "../../../../lib/data/augment/Augment.ts"
import { imageAugmenter } from "../../../../lib/data/augment/augment-image.ts"
import type { FrameSize } from "../../../../lib/data/augment/pad-crop-flip.ts"
import { classificationBatches, type LabelledImages } from "../../../../lib/data/batches.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"

const random = RandomStream.make(4)
const dataset: LabelledImages = {
  images: Uint8Array.from({ length: 12 * 6 * 5 * 3 }, () => random.below(256)),
  labels: Int32Array.from({ length: 12 }, (_, index) => index % 3),
  height: 6,
  width: 5,
  channels: 3
}
const normalization = { mean: [0.4, 0.5, 0.3], std: [0.2, 0.3, 0.1] }

const augmentOf = Schema.decodeUnknownSync(Augment)

interface View {
  readonly example?: number
  readonly epoch?: number
  readonly frame?: FrameSize
  readonly size?: FrameSize
}

/** One image as training sees it. */
const augmented = (
  augment: typeof Augment.Encoded,
  { example = 3, epoch = 1, frame = dataset, size = frame }: View = {}
) => {
  const image = new Float32Array(size.height * size.width * 3)
  imageAugmenter({ dataset, frame, size, augment: augmentOf(augment), normalization, seed: 11 })(epoch)(
    example,
    image
  )
  return image
}

const close = (actual: Float32Array, wanted: Float32Array, what: string) => {
  assert.strictEqual(actual.length, wanted.length)
  for (const [index, value] of actual.entries()) {
    assert.approximately(value, wanted[index]!, 1e-4, `${what}, ${index}`)
  }
}

const minus = (left: Float32Array, right: Float32Array) => left.map((value, index) => value - right[index]!)

const mirrored = (image: Float32Array) =>
  image.map((_, at) => {
    const [row, column, channel] = [Math.floor(at / 15), Math.floor((at % 15) / 3), at % 3]
    return image[row * 15 + (4 - column) * 3 + channel]!
  })

/** A crop that is the whole image: chance acts, and nothing is to be seen of it. */
const wholeCrop = { area: [1, 1], aspect: [5 / 6, 5 / 6] } as const
const tricks = {
  resizedCrop: { resizedCrop: {} },
  autoAugment: { autoAugment: { kind: "rand-augment" } },
  colour: { colour: { kind: "paper" } },
  pcaNoise: { pcaNoise: 0.1 }
} as const
const allOff = { resizedCrop: null, autoAugment: null, colour: null, pcaNoise: 0, erasing: null } as const
type Trick = keyof typeof tricks
const names = Object.keys(tricks) as ReadonlyArray<Trick>

/** Every choice of some of the others, to switch `trick` on beside. */
const choicesWithout = (trick: Trick): ReadonlyArray<typeof Augment.Encoded> => {
  const others = names.filter((name) => name !== trick)
  return Array.from({ length: 2 ** (others.length + 1) }, (_, choice) => ({
    flip: choice % 2 === 1,
    ...Object.assign({}, ...others.map((name, bit) => ((choice >> (bit + 1)) % 2 === 1 ? tricks[name] : {})))
  }))
}

describe("images of a training", () => {
  it("have the bits they had before there was anything but crop and flip", () => {
    const hash = createHash("sha256")
    for (const augment of [{ pad: 0 }, { pad: 2, flip: true, ...allOff }]) {
      const batches = classificationBatches({
        ...{ dataset, normalization, numClasses: 3, batchSize: 4, seed: 11, labelSmoothing: 0 },
        augment: augmentOf(augment)
      })
      for (const epoch of [0, 1, 2]) {
        for (const step of [0, 1, 2]) {
          const feeds = { images: new Float32Array(4 * 90), targets: new Float32Array(12) }
          batches.fill({ epoch, step }, feeds)
          hash.update(new Uint8Array(feeds.images.buffer)).update(new Uint8Array(feeds.targets.buffer))
        }
      }
    }
    assert.strictEqual(hash.digest("hex"), "2476b168f4a6dfc1afeff81251834a1952e1cb77314d8dae55b320aa0b988493")
  })

  it("have params whose usual value is the same as leaving them out", () => {
    const usual = augmentOf({ pad: 2, ...allOff })
    assert.deepStrictEqual(usual, { pad: 2, flip: false })
  })

  it("are cropped in one way only", () =>
    assert.throws(() => augmentOf({ pad: 1, resizedCrop: {} }), /two ways to crop/))

  it("get the same noise whatever else is on", () => {
    const alone = minus(augmented(tricks.pcaNoise), augmented({}))
    assert.isAbove(Math.abs(alone[0]!), 1e-3)
    for (const choice of choicesWithout("pcaNoise")) {
      const here = minus(augmented({ ...choice, ...tricks.pcaNoise }), augmented(choice))
      close(here, alone, JSON.stringify(choice))
    }
  })

  it("go through the same operations whatever else is on", () => {
    const gluoncv = { colour: { kind: "gluoncv" } } as const
    for (const example of [0, 1, 2, 3, 4, 5]) {
      const alone = augmented(tricks.autoAugment, { example })
      const colourless = { ...tricks.autoAugment, colour: { kind: "paper", strength: 0 } } as const
      close(augmented(colourless, { example }), alone, "beside colours")
      close(augmented({ ...tricks.autoAugment, resizedCrop: wholeCrop }, { example }), alone, "under a crop")
      const noise = minus(augmented(tricks.pcaNoise, { example }), augmented({}, { example }))
      const noisy = augmented({ ...tricks.autoAugment, ...tricks.pcaNoise }, { example })
      close(minus(noisy, noise), alone, "beside noise")
      assert.notDeepEqual(augmented({ ...tricks.autoAugment, ...gluoncv }, { example }), alone)
    }
  })

  it("are erased in the same places whatever else is on, after normalisation", () => {
    for (const fill of ["constant", "pixel"] as const) {
      const erasing = { erasing: { probability: 1, fill } }
      for (const example of [0, 1, 2, 3]) {
        const alone = augmented(erasing, { example })
        const untouched = augmented({}, { example })
        const places = [...alone.keys()].filter((at) => alone[at] !== untouched[at])
        if (fill === "constant") assert.isTrue(places.every((at) => alone[at] === 0))
        for (const choice of choicesWithout("resizedCrop")) {
          const plain = augmented(choice, { example })
          const erased = augmented({ ...choice, ...erasing }, { example })
          const wanted = plain.map((value, at) => (places.includes(at) ? alone[at]! : value))
          close(erased, wanted, JSON.stringify(choice))
        }
      }
    }
  })

  it("get the same colours whatever else is on", () => {
    for (const flip of [false, true]) {
      const alone = augmented({ flip, ...tricks.colour })
      const whole = augmented({ flip, ...tricks.colour, resizedCrop: wholeCrop })
      close(whole, alone, "under a crop")
      const noise = minus(augmented({ flip, ...tricks.pcaNoise }), augmented({ flip }))
      close(minus(augmented({ flip, ...tricks.colour, ...tricks.pcaNoise }), noise), alone, "beside noise")
    }
  })

  it("are cropped and mirrored alike whatever else is on", () => {
    for (const example of [0, 1, 2, 3, 4, 5, 6, 7]) {
      const straight = augmented({}, { example })
      const isMirrored = Math.abs(augmented({ flip: true }, { example })[0]! - straight[0]!) > 1e-6
      for (const others of [{}, tricks.colour, tricks.pcaNoise, { ...tricks.colour, ...tricks.pcaNoise }]) {
        const plain = augmented(others, { example })
        const wanted = isMirrored ? mirrored(plain) : plain
        for (const crop of [{}, { resizedCrop: wholeCrop }]) {
          const flipped = augmented({ flip: true, ...others, ...crop }, { example })
          close(flipped, wanted, `${example} ${JSON.stringify({ ...others, ...crop })}`)
        }
      }
    }
  })

  it("differ from epoch to epoch and from example to example, and not from time to time", () => {
    const all = { flip: true, resizedCrop: {}, colour: { kind: "gluoncv" }, pcaNoise: 0.1 } as const
    assert.deepStrictEqual(augmented(all), augmented(all))
    assert.notDeepEqual(augmented(all), augmented(all, { epoch: 2 }))
    assert.notDeepEqual(augmented(all), augmented(all, { example: 4 }))
  })

  it("have the mean colour beyond the image, whatever way they are made", () => {
    // A grey image may be brightened and nothing else happens to its padding's place.
    const byCopy = augmented({ pad: 4 })
    const byValues = augmented({ pad: 4, colour: { kind: "paper", strength: 0 } })
    close(byValues, byCopy, "both ways")
  })

  it("are cut to 0…255 by GluonCV's way and not by the paper's", () => {
    const brightest = (kind: "paper" | "gluoncv") =>
      Math.max(
        ...[0, 1, 2, 3, 4, 5].map((example) =>
          Math.max(
            ...augmented({ colour: { kind, strength: 1 } }, { example }).filter((_, at) => at % 3 === 0)
          )
        )
      )
    const white = (1 - 0.4) / 0.2
    assert.isAbove(brightest("paper"), white + 0.1)
    assert.isAtMost(brightest("gluoncv"), white + 1e-5)
  })

  it("may be smaller than the stored ones: cut anywhere, or resized", () => {
    const frame = { height: 4, width: 3 }
    const stored = augmented({})
    const seen = new Set<string>()
    for (let epoch = 0; epoch < 60; epoch++) {
      const image = augmented({}, { epoch, frame })
      const at = stored.findIndex(
        (value, index) => index % 3 === 0 && Math.abs(value - image[0]!) < 1e-6 && index < 3 * 15
      )
      const [row, column] = [Math.floor(at / 15), (at % 15) / 3]
      assert.isTrue(row <= 2 && column <= 2)
      seen.add(`${row} ${column}`)
    }
    assert.strictEqual(seen.size, 9)
    assert.strictEqual(augmented({ resizedCrop: {} }, { frame }).length, 36)
  })
})
