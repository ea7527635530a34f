/** "Did you mean": names close to one that does not exist. */

/** Insertions, deletions, replacements and swaps of neighbours from one word to the other (Damerau 1964). */
export const editDistance = (from: string, to: string): number => {
  let before: ReadonlyArray<number> = []
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      const swapped = isSwap ? before[j - 2]! + 1 : replaced
      next.push(Math.min(replaced, swapped, row[j]! + 1, next[j - 1]! + 1))
    }
    before = row
    row = next
  }
  return row[to.length]!
}

/**
 * The nearest known name, where it is near: at most a third of the letters differ, or one contains the other.
 */
export const nearest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .filter(
      ({ candidate, distance }) =>
        distance <= Math.ceil(candidate.length / 3) || (name.length >= 3 && candidate.includes(name))
    )
    .sort((a, b) => a.distance - b.distance)
  return near[0]?.candidate
}

/** `did you mean "x"?`, or the whole list where nothing is near. */
export const suggestion = (name: string, known: ReadonlyArray<string>): string => {
  const near = nearest(name, known)
  return near === undefined ? `there are ${known.join(", ")}` : `did you mean "${near}"?`
}
