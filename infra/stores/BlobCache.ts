/**
 * Blobs kept in a folder of this machine, at most so many bytes of them: `sha256/ab/<the other 62 digits>`.
 *
 * Any number of processes share the folder without asking each other. An entry is moved into place whole and
 * hashed whenever it is read, so what a killed process, a full disk or a bad sector leaves behind is an entry
 * that is absent. Whatever goes wrong here only means that the store is asked instead.
 */
import { appendFileSync, readdirSync, rmSync, type Stats, statSync, truncateSync, utimesSync } from "node:fs"
import { readdir, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { Effect } from "effect"
import type { BlobRef } from "../../lib/storage/BlobStore.ts"
import { hexOf } from "../../lib/storage/Digest.ts"
import { digestOf, incrementalHash } from "../hashing.ts"
import { type Content, errorCode, writeAtomically } from "./atomicFiles.ts"
import { chunksOf, type FileChunks, readWhole } from "./fileVersions.ts"
import { freeBytes } from "./freeSpace.ts"
import { makeFolder } from "./makeFolder.ts"

export interface BlobCacheOptions {
  readonly folder: string
  readonly sizeBytesMax: number
  /** Called once, when this process gives up keeping anything, with the reason. */
  readonly onProblem?: (reason: string) => void
}

/** What file systems give at least to a file. */
const blockBytes = 4096
/** The cache leaves so much of the disk to those who cannot do without. */
const spareBytes = 512 * 2 ** 20
/** Down to this part of the bound, so that not every entry makes room for itself. */
const trimmedPart = 0.9
/** Reading an entry marks it as used, but not more often than this. */
const usedMillis = 60_000
/** Nobody writes one entry for an hour: what is older was left by a process that is gone. */
const leftoverMillis = 3_600_000

const blocksOf = (sizeBytes: number): number => Math.max(1, Math.ceil(sizeBytes / blockBytes))

const statsOf = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false })

interface Entry {
  readonly path: string
  readonly blocks: number
  readonly usedAtMillis: number
}

const removed = (path: string): boolean => {
  try {
    rmSync(path, { force: true, recursive: true })
    return true
  } catch {
    return false
  }
}

export class BlobCache {
  readonly #folder: string
  readonly #blocksMax: number
  readonly #onProblem: (reason: string) => void
  #trimming: Promise<void> | undefined
  #isGivenUp = false

  constructor({ folder, onProblem = () => undefined, sizeBytesMax }: BlobCacheOptions) {
    this.#folder = folder
    this.#blocksMax = Math.floor(sizeBytesMax / blockBytes)
    this.#onProblem = onProblem
  }

  /** The bytes, if they are here and are those of the digest; another entry is removed. */
  read(ref: BlobRef): Promise<Uint8Array | undefined> {
    return this.#sound(ref, async (path) => {
      const bytes = await readWhole(path)
      return digestOf(bytes) === ref.blob ? bytes : undefined
    })
  }

  /** The same for what is too large to be held: looked through first, and then given chunk by chunk. */
  chunks(ref: BlobRef): Promise<FileChunks["chunks"] | undefined> {
    return this.#sound(ref, async (path) => {
      const { chunks } = chunksOf(path)
      const hash = incrementalHash(ref.sizeBytes)
      for await (const chunk of chunks()) await Effect.runPromise(hash.update(chunk))
      return (await Effect.runPromise(hash.digest)) === ref.blob ? chunks : undefined
    })
  }

  async #sound<A>(ref: BlobRef, look: (path: string) => Promise<A | undefined>): Promise<A | undefined> {
    const path = this.#pathOf(ref)
    try {
      const stats = statsOf(path)
      if (stats === undefined) return undefined
      const found = stats.isFile() ? await look(path) : undefined
      if (found === undefined) removed(path)
      else this.#markUsed(path, stats)
      return found
    } catch {
      return undefined
    }
  }

  /** Keeps it if it can. Bytes other than the digest's may be given: they are never read. */
  async keep(ref: BlobRef, content: Content): Promise<void> {
    if (this.#isGivenUp) return
    const blocks = blocksOf(ref.sizeBytes)
    try {
      if (blocks > this.#blocksMax || !(await this.#hasRoom(ref.sizeBytes))) return
      // Counted before it is written: who is killed in between has counted too much, not too little.
      const blocksNow = await this.#count(blocks)
      await writeAtomically({
        temporaryFolder: join(this.#folder, "tmp"),
        target: this.#pathOf(ref),
        bytes: content,
        onlyIfAbsent: false,
        isVolatile: true
      })
      if (blocksNow === undefined || blocksNow > this.#blocksMax) await this.#trimOnce()
    } catch (error) {
      // What has no code of the system's comes from the source of the bytes, which may fail in any store.
      if (this.#isGivenUp || errorCode(error) === "unknown") return
      this.#isGivenUp = true
      this.#onProblem(String((error as Error).message ?? error))
    }
  }

  #trimOnce(): Promise<void> {
    this.#trimming ??= this.#trim().finally(() => {
      this.#trimming = undefined
    })
    return this.#trimming
  }

  #pathOf({ blob }: BlobRef): string {
    const hex = hexOf(blob)
    return join(this.#folder, "sha256", hex.slice(0, 2), hex.slice(2))
  }

  get #counter(): string {
    return join(this.#folder, "blocks")
  }

  async #hasRoom(sizeBytes: number): Promise<boolean> {
    const free = await Effect.runPromise(freeBytes(this.#folder))
    return free === undefined || free - sizeBytes > spareBytes
  }

  #markUsed(path: string, { atimeMs, mtime }: Stats): void {
    if (Date.now() - atimeMs < usedMillis) return
    try {
      utimesSync(path, new Date(), mtime)
    } catch {
      // Not ours, or gone by now: it counts as used when it was.
    }
  }

  /**
   * The counter is a file of one byte per block, because appending is what processes can do at the same time
   * without losing each other's. `undefined` where it was not there: nobody knows how much is here.
   */
  async #count(blocks: number): Promise<number | undefined> {
    const isNew = statsOf(this.#counter) === undefined
    const append = () => appendFileSync(this.#counter, Buffer.alloc(blocks))
    try {
      append()
    } catch {
      await makeFolder(dirname(this.#counter))
      append()
    }
    return isNew ? undefined : statsOf(this.#counter)?.size
  }

  /** Removes what was not used for the longest time, if there is too much, and counts anew what is here. */
  async #trim(): Promise<void> {
    await this.#removeLeftovers()
    const entries = await this.#entries()
    let blocks = entries.reduce((sum, entry) => sum + entry.blocks, 0)
    if (blocks > this.#blocksMax) {
      // Whoever trims at the same time removes the same ones.
      for (const entry of entries.sort((a, b) => a.usedAtMillis - b.usedAtMillis)) {
        if (blocks <= this.#blocksMax * trimmedPart) break
        if (removed(entry.path)) blocks -= entry.blocks
      }
    }
    truncateSync(this.#counter, blocks)
  }

  async #entries(): Promise<Array<Entry>> {
    const found = await readdir(join(this.#folder, "sha256"), { recursive: true, withFileTypes: true })
    return found.flatMap((one) => {
      const path = join(one.parentPath, one.name)
      const stats = one.isFile() ? statsOf(path) : undefined
      if (stats === undefined) return []
      const usedAtMillis = Math.max(stats.atimeMs, stats.mtimeMs)
      return [{ path, blocks: blocksOf(stats.size), usedAtMillis }]
    })
  }

  async #removeLeftovers(): Promise<void> {
    const folder = join(this.#folder, "tmp")
    for (const name of readdirSync(folder)) {
      const stats = statsOf(join(folder, name))
      if (stats !== undefined && Date.now() - stats.mtimeMs > leftoverMillis) {
        await rm(join(folder, name), { force: true })
      }
    }
  }
}

/** How many bytes the entries in a folder take, as the cache counts them; 0 where there is none. */
export const cachedBytesIn = (folder: string): number =>
  (statsOf(join(folder, "blocks"))?.size ?? 0) * blockBytes
