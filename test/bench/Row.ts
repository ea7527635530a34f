/** What a benchmark says of one case: our figure, the goal, and a peer's figure measured in the same run. */
export interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly goal: number | null
  readonly met: boolean | null
  readonly peer: string | null
  readonly peerValue: number | null
  /** Ours / peer's; below 1 we are faster. */
  readonly ratio: number | null
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** A row where less is better. `peerValue` is null where the peer is not to be had on this machine. */
export const row = (options: {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly goal?: number
  readonly peer?: string
  readonly peerValue?: number | null
}): Row => ({
  name: options.name,
  value: options.value,
  unit: options.unit,
  goal: options.goal ?? null,
  met: options.goal === undefined ? null : options.value <= options.goal,
  peer: options.peer ?? null,
  peerValue: options.peerValue ?? null,
  ratio: options.peerValue == null ? null : options.value / options.peerValue
})
