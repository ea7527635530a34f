/**
 * 200 photographs scaled to 256 and cut to 224 × 224, ours and sharp's beside torchvision's by Pillow: mean
 * and largest differences in grey levels. Needs DISTILLERY_MIRROR and, as RESAMPLING_PYTHON, a Python with
 * torchvision (`test/golden/resampling/make.py` says how to make one).
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import sharp, { type KernelEnum } from "sharp"
import { assert, describe, it } from "vitest"
import { scaledSize } from "../../lib/data/fit-image.ts"
import { Resampler, resample } from "../../lib/data/resample.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const mirror = process.env.DISTILLERY_MIRROR
const python = process.env.RESAMPLING_PYTHON
const canRun = python !== undefined && mirror !== undefined && existsSync(join(mirror, "bccd-trainval.tar"))
const skipped = canRun ? "" : " (skipped: RESAMPLING_PYTHON and DISTILLERY_MIRROR are not both set)"

const [shorterSide, size] = [256, 224]

interface Photograph {
  readonly height: number
  readonly width: number
}

/** Offsets of the middle are whole or halves; those of 256 and 224 are even where they are halves. */
const begin = (pixels: number): number => {
  const exact = (pixels - size) / 2
  const below = Math.floor(exact)
  return exact === below ? below : below + (below % 2)
}

const ours = (pixels: Uint8Array, image: Photograph, resampler: Resampler): Uint8Array => {
  const scaled = scaledSize(image, shorterSide)
  return resample(
    { pixels, ...image, channels: 3 },
    {
      resampler,
      ...scaled,
      rows: { begin: begin(scaled.height), length: size },
      columns: { begin: begin(scaled.width), length: size }
    }
  ).pixels
}

const bySharp = (pixels: Uint8Array, image: Photograph, kernel: keyof KernelEnum) => {
  const scaled = scaledSize(image, shorterSide)
  return sharp(pixels, { raw: { ...image, channels: 3 } })
    .resize({ ...scaled, fit: "fill", kernel, fastShrinkOnLoad: false })
    .extract({ left: begin(scaled.width), top: begin(scaled.height), width: size, height: size })
    .raw()
    .toBuffer()
}

interface Difference {
  sum: number
  count: number
  largest: number
  worstImage: number
}

const difference = (): Difference => ({ sum: 0, count: 0, largest: 0, worstImage: 0 })

const add = (to: Difference, found: Uint8Array, wanted: Uint8Array): void => {
  assert.strictEqual(found.length, wanted.length)
  let sum = 0
  for (let at = 0; at < wanted.length; at++) {
    const one = Math.abs(found[at]! - wanted[at]!)
    sum += one
    if (one > to.largest) to.largest = one
  }
  to.sum += sum
  to.count += wanted.length
  to.worstImage = Math.max(to.worstImage, sum / wanted.length)
}

describe.skipIf(!canRun)(`200 photographs${skipped}`, () => {
  const folder = temporaryFolder()

  it("are what Pillow makes of them, to the byte", async () => {
    execFileSync(python!, [join(import.meta.dirname, "resampling.py"), mirror!, folder], { stdio: "inherit" })
    const { images, pillow, torchvision } = JSON.parse(readFileSync(join(folder, "sizes.json"), "utf8")) as {
      readonly images: ReadonlyArray<Photograph>
      readonly pillow: string
      readonly torchvision: string
    }
    assert.lengthOf(images, 200)
    const kernels = ["linear", "cubic", "mitchell", "lanczos3"] as const
    const rows: Array<readonly [string, Difference]> = []
    for (const resampler of Resampler.literals) {
      const own = difference()
      const others = kernels.map((kernel) => [kernel, difference()] as const)
      for (const [at, { height, width }] of images.entries()) {
        const pixels = readFileSync(join(folder, `${at}.rgb`))
        const wanted = readFileSync(join(folder, `${at}.${resampler}.rgb`))
        add(own, ours(pixels, { height, width }, resampler), wanted)
        for (const [kernel, sofar] of others) {
          add(sofar, await bySharp(pixels, { height, width }, kernel), wanted)
        }
      }
      rows.push([`${resampler}, ours`, own])
      for (const [kernel, found] of others) rows.push([`${resampler}, sharp ${kernel}`, found])
      assert.strictEqual(own.sum, 0)
    }
    console.log(`Pillow ${pillow}, torchvision ${torchvision}; differences in grey levels`)
    for (const [name, { count, largest, sum, worstImage }] of rows) {
      console.log(
        `${name}: mean ${(sum / count).toFixed(4)}, worst image ${worstImage.toFixed(3)}, largest ${largest}`
      )
    }
  })
})
