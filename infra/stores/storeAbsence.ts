/**
 * A store that does not answer, as all requests of a process see it together: since when, whether that is
 * still borne, and what a person is told meanwhile.
 */
import { duration } from "../reporting/numbers.ts"

export interface Patience {
  /** How long requests are tried again while the store is away. */
  readonly millis: number
  readonly tell: (line: string) => void
}

/** Shorter ones are no news. */
const toldAfterMillis = 10_000
/** A log shows that the waiting goes on. */
const reminderMillis = 60_000

const clockTime = (date: Date): string => date.toTimeString().slice(0, 8)

interface Away {
  readonly since: Date
  readonly sinceMillis: number
  toldMillis: number | undefined
}

export class StoreAbsence {
  private away: Away | undefined
  private readonly patience: Patience
  private readonly reasonOf: (error: unknown) => string
  private readonly nowMillis: () => number

  constructor(
    patience: Patience,
    reasonOf: (error: unknown) => string,
    nowMillis: () => number = () => performance.now()
  ) {
    this.patience = patience
    this.reasonOf = reasonOf
    this.nowMillis = nowMillis
  }

  /** A request came to nothing, in a way that may pass. */
  failed(error: unknown): void {
    const now = this.nowMillis()
    this.away ??= { since: new Date(), sinceMillis: now, toldMillis: undefined }
    const { since, sinceMillis, toldMillis } = this.away
    const isDue =
      toldMillis === undefined ? now - sinceMillis >= toldAfterMillis : now - toldMillis >= reminderMillis
    if (!isDue) return
    this.away.toldMillis = now
    this.patience.tell(`waiting for the store since ${clockTime(since)}: ${this.reasonOf(error)}`)
  }

  /** A request was answered, in whatever way. */
  answered(): void {
    if (this.away?.toldMillis !== undefined) {
      const seconds = (this.nowMillis() - this.away.sinceMillis) / 1000
      this.patience.tell(`the store is back after ${duration(seconds)}`)
    }
    this.away = undefined
  }

  /** Whether a request that failed first at that time may be tried again. */
  isBorne(failedFirstMillis: number): boolean {
    return this.nowMillis() - failedFirstMillis < this.patience.millis
  }

  /** It is away for longer than is borne. */
  get isOver(): boolean {
    return this.away !== undefined && this.nowMillis() - this.away.sinceMillis >= this.patience.millis
  }
}
