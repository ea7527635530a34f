import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { layer as sharpLayer } from "../../../infra/images/SharpImageCodec.ts"
import type { Target } from "../../../lib/data/fit-image.ts"
import { encodeNetpbm } from "../../../lib/data/formats/netpbm.ts"
import { ImageCodec } from "../../../lib/data/ImageCodec.ts"
import { type MaskTarget, prepareBoxed, prepareMasked } from "../../../lib/data/prepare-example.ts"
import type { Annotation, BoxedImage, MaskedImage } from "../../../lib/data/shards.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const seed = between(0, 2 ** 31)
const Size = Schema.Struct({ height: between(1, 60), width: between(1, 60) })

const greyFile = (pixels: Uint8Array, { height, width }: typeof Size.Type) =>
  encodeNetpbm({ pixels, height, width, channels: 1 })

/** Decoding is sharp's; how pixels are averaged is of no interest here. */
const codecLayer = Layer.effect(
  ImageCodec,
  Effect.map(ImageCodec, (codec) =>
    ImageCodec.of({
      ...codec,
      resize: ({ channels }, height, width) =>
        Effect.succeed({ pixels: new Uint8Array(height * width * channels), height, width, channels })
    })
  )
).pipe(Layer.provide(sharpLayer))

const boxed = (size: typeof Size.Type, annotation: Annotation): BoxedImage => ({
  name: "000000.pgm",
  origin: "images/a.pgm",
  bytes: greyFile(new Uint8Array(size.height * size.width), size),
  annotation
})

const target = (size: typeof Size.Type, fit: Target["fit"] = "pad"): Target => ({ ...size, channels: 1, fit })

const RandomBox = Schema.Struct({
  corners: Schema.Tuple([between(-20, 80), between(-20, 80), between(-20, 80), between(-20, 80)]),
  classIndex: between(0, 5),
  difficult: Schema.Boolean
})

describe("boxes of a prepared image", () => {
  it.effect.prop(
    "lie in the image's part, are the stated ones scaled and clipped, and each keeps its class",
    {
      size: Size,
      targetSize: Size,
      fit: Schema.Literals(["stretch", "pad"]),
      random: Schema.Array(RandomBox)
    },
    ({ fit, random, size, targetSize }) =>
      Effect.gen(function* () {
        const stated = random.map(({ corners, ...rest }) => ({ ...rest, box: corners }))
        const example = boxed(size, { ...size, boxes: stated })
        const { about, extent } = yield* prepareBoxed(example, target(targetSize, fit))
        const scales = [extent.rows / size.height, extent.columns / size.width]
        const kept = stated.flatMap(({ box, ...rest }) => {
          const limits = [size.height, size.width]
          const inside = box.map((value, axis) => Math.max(0, Math.min(value, limits[axis % 2]!)))
          const [y1, x1, y2, x2] = inside
          const corners = inside.map((value, axis) => value * scales[axis % 2]!)
          const clipped = inside.some((value, axis) => value !== box[axis])
          return y2! - y1! > 1 && x2! - x1! > 1 ? [{ ...rest, corners, clipped }] : []
        })
        assert.deepStrictEqual(about.boxes, Float32Array.from(kept.flatMap(({ corners }) => corners)))
        assert.deepStrictEqual(
          about.classes,
          kept.map(({ classIndex }) => classIndex)
        )
        assert.deepStrictEqual(
          about.difficult,
          kept.map(({ difficult }) => difficult)
        )
        assert.strictEqual(about.numDropped, stated.length - kept.length)
        assert.strictEqual(about.numClipped, kept.filter(({ clipped }) => clipped).length)
        const far = [extent.rows, extent.columns]
        about.boxes.forEach((value, at) => {
          assert.isAtLeast(value, 0)
          assert.isAtMost(value, far[at % 2]! * (1 + 1e-6))
        })
      }).pipe(Effect.provide(codecLayer))
  )

  it.effect.prop(
    "scaled back they are the boxes that went in",
    { size: Size, scale: between(1, 8), y: between(0, 50), x: between(0, 50) },
    ({ scale, size, x, y }) =>
      Effect.gen(function* () {
        const box = [y % size.height, x % size.width, size.height, size.width] as const
        const example = boxed(size, {
          height: 0,
          width: 0,
          boxes: [{ box, classIndex: 0, difficult: false }]
        })
        const targetSize = { height: size.height * scale, width: size.width * scale + 7 }
        const { about } = yield* prepareBoxed(example, target(targetSize))
        const isEmpty = box[2] - box[0] <= 1 || box[3] - box[1] <= 1
        assert.strictEqual(about.numDropped, isEmpty ? 1 : 0)
        if (isEmpty) return
        assert.deepStrictEqual([...about.boxes.map((value) => value / scale)], [...box])
      }).pipe(Effect.provide(codecLayer))
  )

  it.effect(
    "a box that gets smaller than a pixel is kept: what is scored does not depend on the target",
    () =>
      Effect.gen(function* () {
        const box = [2, 3, 10, 5] as const
        const size = { height: 16, width: 16 }
        const example = boxed(size, { ...size, boxes: [{ box, classIndex: 0, difficult: false }] })
        const { about } = yield* prepareBoxed(example, target({ height: 4, width: 4 }))
        assert.deepStrictEqual(about.boxes, Float32Array.of(0.5, 0.75, 2.5, 1.25))
      }).pipe(Effect.provide(codecLayer))
  )

  it.effect("an annotation for another size is refused with both sizes, one without a size is believed", () =>
    Effect.gen(function* () {
      const size = { height: 6, width: 8 }
      const boxes = [{ box: [0, 0, 6, 8], classIndex: 2, difficult: true }] as const
      const wrong = boxed(size, { height: 8, width: 6, boxes })
      const error = yield* Effect.flip(prepareBoxed(wrong, target(size)))
      assert.strictEqual(
        error.reason,
        "its annotation is for 8 × 6 pixels (rows × columns), the image has 6 × 8"
      )
      const silent = yield* prepareBoxed(boxed(size, { height: 0, width: 0, boxes }), target(size))
      assert.deepStrictEqual(silent.about, {
        file: "images/a.pgm",
        boxes: Float32Array.of(0, 0, 6, 8),
        classes: [2],
        difficult: [true],
        numClipped: 0,
        numDropped: 0
      })
    }).pipe(Effect.provide(codecLayer))
  )
})

const masked = (size: typeof Size.Type, indices: Uint8Array, maskSize = size): MaskedImage => ({
  name: "000000.pgm",
  bytes: greyFile(new Uint8Array(size.height * size.width), size),
  mask: { name: "000000.mask.pgm", bytes: greyFile(indices, maskSize) }
})

const maskTarget = (size: typeof Size.Type, ignoreIndex: number | null = null): MaskTarget => ({
  ...target(size),
  numClasses: 200,
  ignoreIndex
})

/** Classes 0…9, so that most are in every mask. */
const indicesOf = (count: number, start: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, at) => Math.imul(at + start, 2654435761) >>> 28).map((v) => v % 10)

describe("the mask of a prepared image", () => {
  it.effect.prop(
    "has at each pixel the class under its middle, by the definition of it, and is ignored where padding is",
    { size: Size, targetSize: Size, seed },
    ({ seed, size, targetSize }) =>
      Effect.gen(function* () {
        const indices = indicesOf(size.height * size.width, seed)
        const prepared = yield* prepareMasked(masked(size, indices), maskTarget(targetSize, 7))
        const { about: mask, extent } = prepared
        for (let row = 0; row < targetSize.height; row++) {
          for (let column = 0; column < targetSize.width; column++) {
            const found = mask[row * targetSize.width + column]!
            if (row >= extent.rows || column >= extent.columns) {
              assert.strictEqual(found, 255)
              continue
            }
            // Doubled, all is whole: the middle is at (2 row + 1) / 2.
            const y = Math.floor(((2 * row + 1) * size.height) / (2 * extent.rows))
            const x = Math.floor(((2 * column + 1) * size.width) / (2 * extent.columns))
            const value = indices[y * size.width + x]!
            assert.strictEqual(found, value === 7 ? 255 : value)
          }
        }
      }).pipe(Effect.provide(codecLayer))
  )

  it.effect("is repeated when enlarged, and takes the middle of three when made smaller", () =>
    Effect.gen(function* () {
      const small = yield* prepareMasked(
        masked({ height: 1, width: 2 }, Uint8Array.of(3, 4)),
        maskTarget({ height: 2, width: 4 })
      )
      assert.deepStrictEqual([...small.about], [3, 3, 4, 4, 3, 3, 4, 4])
      const nine = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8)
      const large = yield* prepareMasked(
        masked({ height: 3, width: 3 }, nine),
        maskTarget({ height: 1, width: 1 })
      )
      assert.deepStrictEqual([...large.about], [4])
    }).pipe(Effect.provide(codecLayer))
  )

  it.effect.each([
    [
      "of another size",
      new Uint8Array(6),
      { height: 3, width: 2 },
      "its mask has 3 × 2 pixels (rows × columns), the image 2 × 3"
    ],
    [
      "with an unknown index",
      Uint8Array.of(0, 0, 0, 0, 231, 0),
      { height: 2, width: 3 },
      "its mask has index 231, which is no class (classes are 0 to 199, ignored is 255)"
    ]
  ] as const)("%s is refused", ([, indices, maskSize, reason]) =>
    Effect.gen(function* () {
      const size = { height: 2, width: 3 }
      const prepared = prepareMasked(masked(size, indices, maskSize), maskTarget(size, 255))
      assert.strictEqual((yield* Effect.flip(prepared)).reason, reason)
    }).pipe(Effect.provide(codecLayer))
  )

  it.effect("that is broken is named as the mask", () =>
    Effect.gen(function* () {
      const size = { height: 2, width: 3 }
      const example = masked(size, new Uint8Array(6))
      const broken = { ...example, mask: { ...example.mask, bytes: example.mask.bytes.subarray(0, 12) } }
      const error = yield* Effect.flip(prepareMasked(broken, maskTarget(size)))
      assert.match(error.reason, /^its mask cannot be read: ./)
    }).pipe(Effect.provide(codecLayer))
  )
})
