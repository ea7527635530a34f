/** Goal: a run is called dead only when it certainly is. Method: real processes. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { afterAll } from "vitest"
import { ownerLivenessLayer } from "../../infra/ownerLiveness.ts"
import { type LeaseOwner, OwnerLiveness } from "../../lib/storage/Lease.ts"

const started: Array<ChildProcess> = []
afterAll(() => {
  for (const child of started) child.kill("SIGKILL")
})

const ourselves: Effect.Effect<LeaseOwner, never, OwnerLiveness> = Effect.map(OwnerLiveness, ({ self }) => ({
  ...self,
  runId: "r"
}))
const isGone = (change: (self: LeaseOwner) => Partial<LeaseOwner>) =>
  Effect.gen(function* () {
    const self = yield* ourselves
    return yield* (yield* OwnerLiveness).isGone({ ...self, ...change(self) })
  })

/** The same process at another start: what a pid that was given again looks like. */
const startedAt = (incarnation: string, start: string): string => incarnation.replace(/\S*$/, start)

const test = (title: string, body: Effect.Effect<void, never, OwnerLiveness>) =>
  it.effect(title, () => Effect.provide(body, ownerLivenessLayer))

describe("a process", () => {
  test(
    "that lives is not gone",
    Effect.gen(function* () {
      assert.isFalse(yield* isGone(() => ({})))
    })
  )

  test(
    "whose pid nobody has is gone, on this machine only",
    Effect.gen(function* () {
      const { pid } = spawnSync(process.execPath, ["-e", ""])
      assert.isTrue(yield* isGone(() => ({ pid })))
      assert.isFalse(yield* isGone(({ incarnation }) => ({ pid, incarnation: `elsewhere ${incarnation}` })))
    })
  )

  test(
    "whose pid another one has by now is gone; where its start is unknown, nothing is certain",
    Effect.gen(function* () {
      assert.isTrue(yield* isGone(({ incarnation }) => ({ incarnation: startedAt(incarnation, "1") })))
      assert.isFalse(yield* isGone(({ incarnation }) => ({ incarnation: startedAt(incarnation, "") })))
    })
  )

  it.effect.skipIf(!existsSync("/proc/self/stat"))("that has ended but is not waited for is gone", () =>
    Effect.gen(function* () {
      // The shell becomes a `sleep` that never asks what became of the one it has inherited.
      const child = spawn("sh", ["-c", "sleep 0.5 & echo $!; exec sleep 60"], {
        stdio: ["ignore", "pipe", "ignore"]
      })
      started.push(child)
      const pid = yield* Effect.promise(
        () => new Promise<number>((resolve) => child.stdout.once("data", (text) => resolve(Number(text))))
      )
      const state = () => readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")
      yield* Effect.promise(async () => {
        while (state()[2] !== "Z") await new Promise((resolve) => setTimeout(resolve, 5))
      })
      const start = state()[21]!
      assert.isTrue(yield* isGone(({ incarnation }) => ({ pid, incarnation: startedAt(incarnation, start) })))
    }).pipe(Effect.provide(ownerLivenessLayer))
  )
})
