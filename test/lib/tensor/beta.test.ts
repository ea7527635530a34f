import { assert, describe, it } from "@effect/vitest"
import { symmetricBeta } from "../../../lib/tensor/beta.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"

const count = 20_000
const drawn = (alpha: number) => {
  const random = RandomStream.make(5, "beta test", String(alpha))
  return Float64Array.from({ length: count }, () => symmetricBeta(random, alpha))
}

/**
 * The distribution's own share below `x`: for alpha = 1/2 the arcsine law; by Simpson's rule where the
 * density is bounded.
 */
const shareBelow = (alpha: number, x: number): number => {
  if (alpha === 0.5) return (2 / Math.PI) * Math.asin(Math.sqrt(x))
  const density = (t: number) => (t * (1 - t)) ** (alpha - 1)
  const integral = (to: number) => {
    const steps = 2000
    let sum = 0
    for (let i = 0; i <= steps; i++) {
      sum += (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2) * density((to * i) / steps)
    }
    return (sum * to) / (3 * steps)
  }
  return integral(x) / integral(1)
}

describe("symmetricBeta", () => {
  for (const alpha of [0.001, 0.05, 0.2, 0.5, 1, 1.5, 4, 50]) {
    it(`has mean, variance and symmetry of Beta(${alpha}, ${alpha}), all within 0…1`, () => {
      const values = drawn(alpha)
      assert.isTrue(values.every((value) => value >= 0 && value <= 1))
      const mean = values.reduce((sum, value) => sum + value, 0) / count
      const variance = values.reduce((sum, value) => sum + (value - 0.5) ** 2, 0) / count
      const expected = 1 / (8 * alpha + 4)
      // Five standard errors; the fourth central moment is at most that of a coin, 1/16.
      assert.approximately(mean, 0.5, 5 * Math.sqrt(expected / count))
      assert.approximately(variance, expected, 5 * Math.sqrt(1 / 16 / count))
      assert.approximately(values.filter((value) => value < 0.5).length / count, 0.5, 2.5 / Math.sqrt(count))
    })
  }

  for (const alpha of [0.5, 1, 2, 4]) {
    it(`is distributed as Beta(${alpha}, ${alpha}) (Kolmogorov and Smirnov)`, () => {
      const values = drawn(alpha).sort()
      let distance = 0
      for (let i = 0; i < count; i += 50) {
        distance = Math.max(distance, Math.abs(shareBelow(alpha, values[i]!) - i / count))
      }
      // 2.2 / √n is passed by chance once in 8,000 times; the seed is fixed.
      assert.isBelow(distance, 2.2 / Math.sqrt(count))
    })
  }

  it("puts mass near 0 as t^alpha / (alpha B): at alpha = 0.2", () => {
    // P(X < x) = x^a / (a B(a, a)) (1 + O(x)); B(0.2, 0.2) = Γ(0.2)² / Γ(0.4).
    const values = drawn(0.2)
    for (const x of [1e-6, 1e-4, 1e-2]) {
      const expected = x ** 0.2 / (0.2 * (4.590843712 ** 2 / 2.218159544))
      const found = values.filter((value) => value < x).length / count
      assert.approximately(found, expected, 5 * Math.sqrt((expected * (1 - expected)) / count) + x)
    }
  })
})
