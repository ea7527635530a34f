import { assert, describe, it } from "vitest"
import { StoreAbsence } from "../../../infra/stores/storeAbsence.ts"

const make = (patienceMillis: number) => {
  const told: Array<string> = []
  const clock = { millis: 0 }
  const patience = { millis: patienceMillis, tell: (line: string) => void told.push(line) }
  const absence = new StoreAbsence(
    patience,
    (error) => String(error),
    () => clock.millis
  )
  return { absence, clock, told }
}

describe("a store that is away", () => {
  it("is no news for ten seconds, then told at once, every minute, and when it is back", () => {
    const { absence, clock, told } = make(300_000)
    for (; clock.millis <= 131_000; clock.millis += 1000) absence.failed("ECONNREFUSED")
    absence.answered()
    assert.lengthOf(told, 4)
    for (const line of told.slice(0, 3)) {
      assert.match(line, /^waiting for the store since \d\d:\d\d:\d\d: ECONNREFUSED$/)
    }
    assert.strictEqual(told[3], "the store is back after 2:12")
    for (const _ of [1, 2]) {
      absence.failed("ECONNREFUSED")
      clock.millis += 9000
      absence.answered()
    }
    assert.lengthOf(told, 4)
  })

  it("is borne for so long, by all requests together and by each", () => {
    const { absence, clock } = make(60_000)
    absence.failed("SlowDown")
    clock.millis = 59_000
    assert.deepStrictEqual([absence.isOver, absence.isBorne(0)], [false, true])
    clock.millis = 60_000
    assert.deepStrictEqual([absence.isOver, absence.isBorne(0)], [true, false])
    absence.answered()
    assert.deepStrictEqual([absence.isOver, absence.isBorne(0), absence.isBorne(1000)], [false, false, true])
  })
})
