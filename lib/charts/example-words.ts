/** What is on an image, in words. */

const nothing = "nothing"

/** "2 circle, 1 star" */
export const boxesText = (boxes: ReadonlyArray<{ readonly class: string }>): string => {
  const counts = new Map<string, number>()
  for (const { class: name } of boxes) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].map(([name, count]) => `${count} ${name}`).join(", ") || nothing
}

/** The share of each class that occurs in a mask, 0…1; values that are no class count for none. */
export const maskShares = (
  mask: Uint8Array,
  classes: ReadonlyArray<string>
): Readonly<Record<string, number>> => {
  const counts = new Int32Array(256)
  for (const value of mask) counts[value]!++
  return Object.fromEntries(
    classes.flatMap((name, index) => (counts[index] === 0 ? [] : [[name, counts[index]! / mask.length]]))
  )
}

/** "road 41 %, sky 30 %": what rounds to nothing is left out. */
export const sharesText = (shares: Readonly<Record<string, number>>): string =>
  Object.entries(shares)
    .filter(([, share]) => share >= 0.005)
    .sort((a, b) => b[1] - a[1])
    .map(([name, share]) => `${name} ${Math.round(100 * share)} %`)
    .join(", ") || nothing
