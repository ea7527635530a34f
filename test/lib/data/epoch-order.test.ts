import { assert, describe, it } from "@effect/vitest"
import { epochOrder } from "../../../lib/data/epoch-order.ts"

describe("epochOrder", () => {
  it("has every example once, in an order of the epoch's and the seed's own", () => {
    const orderOf = epochOrder(20, 1)
    for (const epoch of [0, 1]) {
      assert.deepStrictEqual(
        [...orderOf(epoch)].sort((a, b) => a - b),
        Array.from({ length: 20 }, (_, index) => index)
      )
    }
    assert.notDeepEqual(orderOf(0), orderOf(1))
    assert.notDeepEqual(orderOf(0), epochOrder(20, 2)(0))
  })

  it("is the same whatever was asked for before", () => {
    const orderOf = epochOrder(20, 1)
    const first = orderOf(3)
    orderOf(0)
    assert.deepStrictEqual(orderOf(3), first)
    assert.deepStrictEqual(epochOrder(20, 1)(3), first)
  })
})
