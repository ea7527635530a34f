/** Profiles of real runs, and the reading of TensorFlow's account of one. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { profilesInto } from "../../../../infra/tensorflow/profile/profiles-into.ts"
import {
  chromeTrace,
  profileTable,
  type StepProfile,
  totalsBy
} from "../../../../infra/tensorflow/profile/StepProfile.ts"
import { nodeTimes } from "../../../../infra/tensorflow/profile/step-stats.ts"
import { TensorRuntime } from "../../../../lib/tensor/Runtime.ts"
import { tf } from "../../../../lib/tensor/tf.ts"
import { native, nativeWith } from "../../../support/runtimes.ts"
import { temporaryFolder } from "../../../support/temporaryFolder.ts"

/** A message of `[field, number | string | message]` in protobuf's wire format. */
const message = (...fields: ReadonlyArray<readonly [number, number | string | Uint8Array]>): Uint8Array =>
  Uint8Array.from(
    fields.flatMap(([number, value]) => {
      if (typeof value === "number") return [...varint(number * 8), ...varint(value)]
      const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value
      return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes]
    })
  )

const varint = (value: number): ReadonlyArray<number> =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]

describe("TensorFlow's account of a run", () => {
  const began = 1_795_542_000_123_456
  const convolution = message(
    [1, "conv_7"],
    [2, began + 250],
    [8, "conv_7 = Conv2D(images, filter)"],
    [10, 3],
    [14, 500],
    [15, 1_500_500]
  )
  const source = message([1, "_SOURCE"], [2, began], [14, 500], [15, 800])
  const device = message([1, "/device:CPU:0"], [2, convolution], [2, source], [3, "not read"])
  const metadata = message([1, message([1, device])], [3, "graphs are not read"])

  it("says which node ran when and for how long", () => {
    const [first, second] = nodeTimes(metadata)
    expect(first).toEqual({
      node: "_SOURCE",
      operation: "",
      device: "/device:CPU:0",
      thread: 0,
      startMicros: 0,
      durationMicros: 0.3
    })
    expect(second).toMatchObject({ node: "conv_7", operation: "Conv2D", thread: 3, startMicros: 250 })
    expect(second?.durationMicros).toBe(1500)
  })

  it("is refused where it breaks off", () => {
    for (const length of [1, 2, metadata.length - 1]) {
      expect(() => nodeTimes(metadata.subarray(0, length)), String(length)).toThrow(/account of the run/)
    }
    expect(nodeTimes(new Uint8Array(0))).toEqual([])
  })
})

/** Runs a convolution five times; answers what the runs gave. */
const convolved = Effect.gen(function* () {
  const runtime = yield* TensorRuntime
  const filter = tf.variable(tf.ones([3, 3, 2, 4]))
  const step = yield* runtime.jit(
    ({ images }) => {
      filter.assign(tf.mul(filter, 2))
      return { y: tf.relu(tf.conv2d(images as tf.Tensor4D, filter as tf.Tensor4D, 1, "same")) }
    },
    { inputs: { images: { shape: [1, 8, 8, 2], dtype: "float32" } }, precision: "float32" }
  )
  const sums: Array<number> = []
  for (let run = 0; run < 5; run++) {
    const { y } = yield* step.run({ images: new Float32Array(128).fill(1) })
    sums.push((y as Float32Array).reduce((a, b) => a + b, 0))
  }
  filter.dispose()
  return sums
}).pipe(Effect.scoped)

describe(`a profile${native.skipped}`, () => {
  const either = it.effect.skipIf(native.skipped !== "")
  const withProfile = (profile?: Parameters<typeof nativeWith>[0]["profile"]) =>
    Effect.provide(convolved, nativeWith({ threads: 1, profile }))

  either("tells of the chosen runs alone, and changes none", () =>
    Effect.gen(function* () {
      const profiles: Array<StepProfile> = []
      const profiled = yield* withProfile({ skip: 1, count: 2, take: (profile) => profiles.push(profile) })
      expect(profiled).toEqual(yield* withProfile())
      expect(profiles).toHaveLength(2)
      const [profile] = profiles
      expect(profile!.title).toBe("images [1,8,8,2]")
      const conv = profile!.nodes.find(({ operation }) => operation.includes("Conv2D"))
      expect(conv?.reads).toMatch(/^float32\[1,8,8,2\] float32\[3,3,2,4\]/)
      expect(conv?.durationMicros).toBeGreaterThan(0)
      const micros = profile!.nodes.map(({ durationMicros }) => durationMicros)
      expect(Math.max(...micros) / 1000).toBeLessThan(profile!.wallMillis)
    })
  )

  either("is a table that adds up, and a trace", () =>
    Effect.gen(function* () {
      const folder = temporaryFolder()
      const profiles: Array<StepProfile> = []
      yield* withProfile({ skip: 0, count: 1, take: (profile) => profiles.push(profile) })
      const { nodes } = profiles[0]!
      const all = nodes.reduce((sum, { durationMicros }) => sum + durationMicros, 0)
      const totals = totalsBy(nodes, ({ operation }) => operation)
      expect(totals.reduce((sum, { micros }) => sum + micros, 0)).toBeCloseTo(all, 6)
      expect(totals.map(({ micros }) => micros)).toEqual(
        totals.map(({ micros }) => micros).sort((a, b) => b - a)
      )
      expect(profileTable(profiles[0]!)).toContain("Conv2D")
      const events = JSON.parse(chromeTrace(profiles[0]!)).traceEvents as ReadonlyArray<{ ph: string }>
      expect(events.filter(({ ph }) => ph === "X")).toHaveLength(nodes.length)
      const { take } = profilesInto(join(folder, "new"))
      take(profiles[0]!)
      const files = readdirSync(join(folder, "new"))
      expect(files.map((file) => file.replace(/\d+/, "N"))).toEqual(["step-N-1.trace.json", "step-N-1.txt"])
      expect(readFileSync(join(folder, "new", files[1]!), "utf8")).toBe(profileTable(profiles[0]!))
    })
  )
})
