/** Student's t distribution with a whole number of degrees of freedom. */

/**
 * The probability that |t| is at most `t` (at least 0): the finite sums of Abramowitz & Stegun 1964, 26.7.3
 * and 26.7.4.
 */
const probabilityWithin = (t: number, degrees: number): number => {
  const angle = Math.atan2(t, Math.sqrt(degrees))
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)]
  const isOdd = degrees % 2 === 1
  let term = isOdd ? cosine : 1
  let sum = degrees === 1 ? 0 : term
  for (let power = isOdd ? 3 : 2; power <= degrees - 2; power += 2) {
    term *= (cosine * cosine * (power - 1)) / power
    sum += term
  }
  return isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum
}

/**
 * The t that |t| stays below with this probability (above 0, below 1): 12.706 for 0.95 and 1 degree of
 * freedom. Bisection down to what doubles can tell apart.
 */
export const studentT = (probability: number, degrees: number): number => {
  let [low, high] = [0, 1]
  while (probabilityWithin(high, degrees) < probability) high *= 2
  for (;;) {
    const middle = (low + high) / 2
    if (middle <= low || middle >= high) return middle
    if (probabilityWithin(middle, degrees) < probability) low = middle
    else high = middle
  }
}
