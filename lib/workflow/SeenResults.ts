/**
 * The latest result that was seen under each key: an earlier one that is put back in its place was signed as
 * honestly, and the store cannot be asked which of them is later. Every manifest says when it was published,
 * later than all that its publisher had seen there, and that is signed with it.
 */
import { Context, DateTime, Effect, Option } from "effect"
import type { Digest } from "../storage/Digest.ts"
import type { Scope } from "../storage/Signature.ts"
import type { Manifest } from "./Manifest.ts"
import type { ManifestPlace } from "./SignedManifest.ts"

export interface Seen {
  /** Milliseconds since 1970, by the publisher's clock. */
  readonly publishedAtMillis: number
  readonly output: Digest
}

/** By `<scope>/<job key>`. */
export type SeenByPlace = ReadonlyMap<string, Seen>

/** What earlier processes here saw in this store. Without it only the indexes of pipelines tell. */
export const SeenRecord = Context.Reference<{
  readonly load: () => SeenByPlace
  /** Adds what is later than what is there. */
  readonly keep: (seen: SeenByPlace) => Effect.Effect<void>
}>("lib/workflow/SeenRecord", {
  defaultValue: () => ({ load: () => new Map(), keep: () => Effect.void })
})

/** 0 for a manifest that does not say it. */
export const publishedAtMillis = ({ provenance: { publishedAtMillis: at } }: Manifest): number =>
  typeof at === "number" && Number.isSafeInteger(at) && at > 0 ? at : 0

const timeOf = (millis: number): string =>
  Option.match(DateTime.make(millis), { onNone: () => `${millis}`, onSome: DateTime.formatIso })

/** `<scope>/<job key>` */
export const seenPlaceOf = ({ key, scope }: ManifestPlace): string => `${scope}/${key}`

/** The scope in `<scope>/<job key>`. */
export const scopeIn = (at: string): Scope => at.slice(0, at.lastIndexOf("/")) as Scope

export class SeenResults {
  readonly #record: (typeof SeenRecord)["Service"]
  #seen: Map<string, Seen> | undefined
  readonly #news = new Map<string, Seen>()

  constructor(record: (typeof SeenRecord)["Service"]) {
    this.#record = record
  }

  /** Read when it is first needed. */
  get #all(): Map<string, Seen> {
    this.#seen ??= new Map(this.#record.load())
    return this.#seen
  }

  /** What is published there is to be later than this. */
  latestMillis(place: ManifestPlace): number {
    return this.latest(place)?.publishedAtMillis ?? 0
  }

  /** Remembers a manifest that somebody trusted has signed for this place. */
  see(place: ManifestPlace, manifest: Manifest): void {
    this.hear(seenPlaceOf(place), {
      publishedAtMillis: publishedAtMillis(manifest),
      output: manifest.output.digest
    })
  }

  /** Remembers what somebody trusted says to have seen at `<scope>/<job key>`. */
  hear(at: string, seen: Seen): void {
    if (seen.publishedAtMillis <= (this.#all.get(at)?.publishedAtMillis ?? 0)) return
    this.#all.set(at, seen)
    this.#news.set(at, seen)
  }

  latest(place: ManifestPlace): Seen | undefined {
    return this.#all.get(seenPlaceOf(place))
  }

  /** Why it is not the latest; `undefined` where it may be, or is as good: its output is the same. */
  problem(place: ManifestPlace, manifest: Manifest): string | undefined {
    const seen = this.latest(place)
    const at = publishedAtMillis(manifest)
    if (seen === undefined || at >= seen.publishedAtMillis) return undefined
    if (seen.output === manifest.output.digest) return undefined
    const latest = timeOf(seen.publishedAtMillis)
    return `its manifest was rolled back: of ${timeOf(at)}, where another result of ${latest} was seen`
  }

  /** Keeps what this process has seen first. */
  readonly keep: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#news.size === 0) return Effect.void
    const news = new Map(this.#news)
    this.#news.clear()
    return this.#record.keep(news)
  })
}
