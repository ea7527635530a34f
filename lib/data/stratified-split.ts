import { RandomStream } from "../tensor/random.ts"

export interface IndexSplit {
  /** Indices in rising order; together every index once. */
  readonly kept: Int32Array
  readonly taken: Int32Array
}

/**
 * Takes `fraction` of each class, at random by `seed`: rounded to a whole number, but at least one example
 * stays and, of a class with two or more, at least one is taken (unless the fraction is 0).
 */
export const stratifiedSplit = (labels: ArrayLike<number>, fraction: number, seed: number): IndexSplit => {
  const byClass = new Map<number, Array<number>>()
  for (let index = 0; index < labels.length; index++) {
    const members = byClass.get(labels[index]!) ?? []
    byClass.set(labels[index]!, members)
    members.push(index)
  }
  const isTaken = new Uint8Array(labels.length)
  for (const [label, members] of byClass) {
    const wanted = fraction === 0 ? 0 : Math.max(1, Math.floor(members.length * fraction + 0.5))
    const order = RandomStream.make(seed, "split", label).permutation(members.length)
    for (const at of order.subarray(0, Math.min(wanted, members.length - 1))) isTaken[members[at]!] = 1
  }
  const indices = Int32Array.from(labels, (_, index) => index)
  return {
    kept: indices.filter((index) => isTaken[index] === 0),
    taken: indices.filter((index) => isTaken[index] === 1)
  }
}
