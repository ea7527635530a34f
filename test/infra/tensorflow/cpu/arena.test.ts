/** The memory that outputs of our operations lie in. */
import { availableParallelism } from "node:os"
import { promisify } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import koffi from "koffi"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { kernels } from "../../../support/runtimes.ts"

const skipped = kernels.kind === "absent" ? ` (skipped: ${kernels.reason})` : ""

/** TensorFlow's own symbols stay unresolved: nothing here calls what needs them. */
const object = kernels.kind === "compiled" ? koffi.load(kernels.file, { lazy: true }) : undefined
const takeFrom = object?.func("void* arena_take(size_t, _Out_ void**)")
const giveBack = object?.func("void arena_give(void*)")
const trim = object?.func("void arena_trim()")

interface Held {
  readonly start: bigint
  readonly bytes: number
  readonly block: bigint
}

const held = (start: bigint, bytes: number, block: ReadonlyArray<bigint | null>): Held => ({
  start,
  bytes,
  block: block[0]!
})

const take = (bytes: number): Held => {
  const block: Array<bigint | null> = [null]
  return held(takeFrom!(bytes, block) as bigint, bytes, block)
}

const give = ({ block }: Held): void => void giveBack!(block)

const bytesOf = ({ bytes, start }: Held): Uint8Array => new Uint8Array(koffi.view(start, bytes))

const endOf = ({ bytes, start }: Held): bigint => start + BigInt(bytes)

const overlaps = (all: ReadonlyArray<Held>): boolean => {
  const sorted = all.toSorted((a, b) => (a.start < b.start ? -1 : 1))
  return sorted.some((one, index) => index > 0 && endOf(sorted[index - 1]!) > one.start)
}

const kibi = 1024
const mebi = kibi * kibi

describe(`the arena${skipped}`, () => {
  it.skipIf(object === undefined)(
    "hands out what nobody else holds, whatever order it is given back in",
    () => {
      const random = RandomStream.make(1, "arena")
      const live: Array<Held & { readonly mark: number }> = []
      for (let index = 0; index < 3000; index++) {
        if (live.length > 0 && random.uniform() < live.length / 80) {
          const [gone] = live.splice(random.below(live.length), 1)
          const bytes = bytesOf(gone!)
          expect([bytes[0], bytes.at(-1)]).toEqual([gone!.mark, gone!.mark])
          give(gone!)
          continue
        }
        const one = take(1 + random.below(random.below(300 * kibi) + 1))
        expect(one.start % 4096n).toBe(0n)
        const mark = index % 251
        bytesOf(one).fill(mark)
        live.push({ ...one, mark })
      }
      expect(overlaps(live)).toBe(false)
      for (const one of live) give(one)
    }
  )

  it.skipIf(object === undefined)("makes one of neighbours that are free", () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [0, 2, 1],
      [1, 0, 2]
    ]) {
      const parts = [take(mebi), take(mebi), take(mebi)]
      for (const index of order) give(parts[index]!)
      const whole = take(3 * mebi)
      expect(whole.start).toBe(parts[0]!.start)
      give(whole)
    }
  })

  it.skipIf(object === undefined)(
    "takes no more room for a step than what is alive in it, and none more later",
    () => {
      const random = RandomStream.make(2, "step")
      const sizes = Array.from({ length: 100 }, () => (1 + random.below(64)) * 64 * kibi)
      /** Forward all is kept; backward each gives way to two gradients, of which one is short-lived. */
      const step = () => {
        const forward = sizes.map(take)
        const kept: Array<Held> = []
        let end = forward.reduce((last, one) => (endOf(one) > last ? endOf(one) : last), 0n)
        for (const one of forward.toReversed()) {
          const gradient = take(one.bytes / 2)
          give(one)
          const ofWeight = take(16 * kibi)
          kept.push(ofWeight)
          for (const other of [gradient, ofWeight]) if (endOf(other) > end) end = endOf(other)
          give(gradient)
        }
        for (const one of kept) give(one)
        return end
      }
      const { start } = (() => {
        const first = take(mebi)
        give(first)
        return first
      })()
      const end = step()
      const forward = sizes.reduce((sum, size) => sum + size, 0)
      expect(Number(end - start)).toBeLessThan(1.05 * forward)
      for (let index = 0; index < 5; index++) expect(step()).toBe(end)
    }
  )

  it.skipIf(object === undefined)("gives free pages back when it is trimmed, and serves on", () => {
    const large = take(64 * mebi)
    bytesOf(large).fill(1)
    const full = process.memoryUsage.rss()
    give(large)
    trim!()
    expect(full - process.memoryUsage.rss()).toBeGreaterThan(48 * mebi)
    const again = take(mebi)
    expect(bytesOf(again).every((byte) => byte === 0)).toBe(true)
    give(again)
  })

  it.skipIf(object === undefined)("serves several threads at once", async () => {
    const takeLater = promisify(takeFrom!.async)
    const giveLater = promisify(giveBack!.async)
    for (let round = 0; round < 50; round++) {
      const taken = Array.from({ length: 8 * availableParallelism() }, async (_, index) => {
        const block: Array<bigint | null> = [null]
        const bytes = (index + 1) * 8 * kibi
        return held((await takeLater(bytes, block)) as bigint, bytes, block)
      })
      const all = await Promise.all(taken)
      expect(overlaps(all)).toBe(false)
      await Promise.all(all.map(({ block }) => giveLater(block)))
    }
  })

  it.skipIf(object === undefined)("says no where the machine has not so much", () => {
    const block: Array<bigint | null> = [null]
    expect(takeFrom!(2 ** 46, block)).toBeNull()
  })
})
