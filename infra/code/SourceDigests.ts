/**
 * Digests of source files by an index of how they looked when they were read: while size, times and inode are
 * the same, a file is not opened. A file is looked at once, so all that is asked here is of one moment.
 */
import { readFileSync, statSync } from "node:fs"
import { Schema } from "effect"
import { Digest } from "../../lib/storage/Digest.ts"
import { StatIndex } from "../files/StatIndex.ts"
import { digestOf } from "../hashing.ts"

/** Digest of each file that something was learned from, by absolute path; `null`: there was none. */
export const Files = Schema.Record(Schema.String, Schema.NullOr(Digest))
export type Files = typeof Files.Type

export const readIfPresent = (file: string): Buffer | undefined => {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}

export class SourceDigests {
  readonly #indexFile: string
  readonly #index: StatIndex
  readonly #digests = new Map<string, Digest | null>()

  constructor(indexFile: string) {
    this.#indexFile = indexFile
    this.#index = StatIndex.load(indexFile)
  }

  /** `null` where there is no such file. */
  of(file: string): Digest | null {
    const known = this.#digests.get(file)
    if (known !== undefined) return known
    const takenAt = Date.now()
    const stats = statSync(file, { throwIfNoEntry: false })
    const found = stats === undefined ? undefined : this.#index.find(file, stats)
    const bytes = stats === undefined || found !== undefined ? undefined : readIfPresent(file)
    const digest = found ?? (bytes === undefined ? null : digestOf(bytes))
    if (bytes !== undefined) this.#index.record(file, stats!, digest!, takenAt)
    this.#digests.set(file, digest)
    return digest
  }

  all(files: ReadonlyArray<string>): Files {
    return Object.fromEntries(files.map((file) => [file, this.of(file)]))
  }

  areSame(files: Files): boolean {
    return Object.entries(files).every(([file, digest]) => this.of(file) === digest)
  }

  /** A folder that cannot be written to costs speed, not the plan. */
  save(): void {
    try {
      this.#index.save(this.#indexFile)
    } catch {
      // Its folder is read-only, or the disk is full.
    }
  }
}
