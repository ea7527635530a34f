import { RandomStream } from "../tensor/random.ts"

export interface IndexSplit {
  /** Indices in rising order; together every index once. */
  readonly kept: Int32Array
  readonly taken: Int32Array
}

const shareOf = (count: number, fraction: number): number =>
  fraction === 0 ? 0 : Math.max(1, Math.floor(count * fraction + 0.5))

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
    const wanted = shareOf(members.length, fraction)
    const order = RandomStream.make(seed, "split", label).permutation(members.length)
    for (const at of order.subarray(0, Math.min(wanted, members.length - 1))) isTaken[members[at]!] = 1
  }
  const indices = Int32Array.from(labels, (_, index) => index)
  return {
    kept: indices.filter((index) => isTaken[index] === 0),
    taken: indices.filter((index) => isTaken[index] === 1)
  }
}

/**
 * The same shares of every class from images that come one after another: whether this one, of this class, is
 * taken. Which ones these are follows from the order alone.
 */
export class StratifiedCut {
  readonly #fraction: number
  readonly #classes: Map<number, SeenOfClass>

  constructor(fraction: number, from: CutState = []) {
    this.#fraction = fraction
    this.#classes = new Map(from.map(([label, members, taken]) => [label, { members, taken }]))
  }

  takes(label: number): boolean {
    const seen = this.#classes.get(label) ?? { members: 0, taken: 0 }
    this.#classes.set(label, seen)
    seen.members += 1
    const isTaken = seen.taken < Math.min(shareOf(seen.members, this.#fraction), seen.members - 1)
    if (isTaken) seen.taken += 1
    return isTaken
  }

  get state(): CutState {
    return Array.from(this.#classes, ([label, { members, taken }]) => [label, members, taken])
  }
}

interface SeenOfClass {
  members: number
  taken: number
}

/** Of each class that was seen. */
export type CutState = ReadonlyArray<readonly [label: number, members: number, taken: number]>
