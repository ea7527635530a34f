/** Random fractions that follow a beta distribution. */
import type { RandomStream } from "./random.ts"

/**
 * The next fraction, 0…1, of Beta(alpha, alpha), whose mean is 1/2 and whose variance is 1 / (8 alpha + 4).
 * Exact but for rounding, `alpha` above 0. Up to 1 by Jöhnk's method (Metrika 8, 1964), with logarithms so
 * that a small alpha underflows nowhere; above 1 as a share of two gamma variates.
 */
export const symmetricBeta = (random: RandomStream, alpha: number): number => {
  if (alpha > 1) {
    const one = gamma(random, alpha)
    return one / (one + gamma(random, alpha))
  }
  for (;;) {
    const [one, other] = [logUniform(random) / alpha, logUniform(random) / alpha]
    if (Math.exp(one) + Math.exp(other) <= 1) return 1 / (1 + Math.exp(other - one))
  }
}

/** The logarithm of a uniform number in (0, 1]. */
const logUniform = (random: RandomStream): number => Math.log((random.bits() + 1) / 2 ** 32)

/** Marsaglia and Tsang, "A simple method for generating gamma variables" (2000); `shape` at least 1. */
const gamma = (random: RandomStream, shape: number): number => {
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = random.gaussian()
    const v = (1 + c * x) ** 3
    if (v > 0 && logUniform(random) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
  }
}
