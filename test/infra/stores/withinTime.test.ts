/** Time that passes while the process cannot run is not held against the other side. */
import { setImmediate as turn } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import { withinTime } from "../../../infra/stores/withinTime.ts"

const late = () => new Error("late")

/** As if other processes had the processor. */
const starve = (millis: number): void =>
  void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis)

describe("waiting within a time", () => {
  it("ends with the answer, or without it when the time is over", async () => {
    assert.strictEqual(await withinTime(5_000, async () => 7, late), 7)
    let given: AbortSignal | undefined
    const silent = withinTime(100, (signal) => new Promise<number>(() => (given = signal)), late)
    assert.match(await silent.catch((error: Error) => error.message).then(String), /^late$/)
    assert.isTrue(given?.aborted)
  })

  it("goes on for as long again as the process could not run", async () => {
    const answer = withinTime(
      400,
      async () => {
        for (let i = 0; i < 3; i++) {
          starve(400)
          await turn()
        }
        return 7
      },
      late
    )
    assert.strictEqual(await answer, 7)
  })
})
