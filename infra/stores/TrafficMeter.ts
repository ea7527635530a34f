/** What a process has moved to and from a store. */

export interface StoreTraffic {
  readonly objectsRead: number
  readonly bytesRead: number
  readonly objectsWritten: number
  readonly bytesWritten: number
  /** Objects asked for their size, version or stamp. */
  readonly objectsLookedUp: number
  readonly listings: number
  /** Blobs that were not read from the store, because this machine had them. */
  readonly cacheHits: number
  readonly cacheBytes: number
}

const nothing = {
  objectsRead: 0,
  bytesRead: 0,
  objectsWritten: 0,
  bytesWritten: 0,
  objectsLookedUp: 0,
  listings: 0,
  cacheHits: 0,
  cacheBytes: 0
} satisfies StoreTraffic

const counts = Object.keys(nothing) as ReadonlyArray<keyof StoreTraffic>

export class TrafficMeter {
  #traffic = { ...nothing }

  get traffic(): StoreTraffic {
    return this.#traffic
  }

  /** What was counted since it was taken last. */
  take(): StoreTraffic {
    const taken = this.#traffic
    this.#traffic = { ...nothing }
    return taken
  }

  add(more: Partial<StoreTraffic>): void {
    const sum = { ...this.#traffic }
    for (const what of counts) sum[what] += more[what] ?? 0
    this.#traffic = sum
  }

  cacheHit(bytes: number): void {
    this.add({ cacheHits: 1, cacheBytes: bytes })
  }
}
