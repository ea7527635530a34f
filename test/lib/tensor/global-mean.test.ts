import { beforeAll, describe, expect, it } from "vitest"
import { globalMean } from "../../../lib/tensor/global-mean.ts"
import { tf } from "../../../lib/tensor/tf.ts"

beforeAll(() => tf.setBackend("cpu"))

describe("globalMean", () => {
  it("averages over rows and columns", () => {
    const x = tf.tensor4d([1, 10, 3, 20, 5, 30, 7, 40], [1, 2, 2, 2])
    expect(Array.from(globalMean(x).dataSync())).toEqual([4, 25])
  })
})
