/** Blobs kept on a machine: never a wrong byte, never too many, whatever happens to the folder. */
import { spawn, spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"
import { digestOf, hasherLayer } from "../../../infra/hashing.ts"
import { BlobCache } from "../../../infra/stores/BlobCache.ts"
import { cachedBlobStoreLayer } from "../../../infra/stores/cachedBlobStore.ts"
import { fileObjectStoreLayer } from "../../../infra/stores/FileObjectStore.ts"
import { TrafficMeter } from "../../../infra/stores/TrafficMeter.ts"
import { type BlobRef, BlobStore } from "../../../lib/storage/BlobStore.ts"
import { blobKey, blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { hexOf } from "../../../lib/storage/Digest.ts"
import { memoryObjectStoreLayer } from "../../../lib/storage/MemoryObjectStore.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { blobStoreSuite } from "../../suites/blobStore.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const sizeBytesMax = 1e9

const refOf = (bytes: Uint8Array): BlobRef => ({ blob: digestOf(bytes), sizeBytes: bytes.length })
const fileOf = (folder: string, { blob }: BlobRef): string =>
  join(folder, "sha256", hexOf(blob).slice(0, 2), hexOf(blob).slice(2))

const entriesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(folder, "sha256"), { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, "sha256", name))
    .filter((path) => statSync(path).isFile())

const bytesIn = (folder: string): number =>
  entriesIn(folder).reduce((sum, path) => sum + statSync(path).size, 0)

const plain = blobStoreLayer.pipe(Layer.provideMerge(memoryObjectStoreLayer), Layer.provideMerge(hasherLayer))
const cached = (folder: string, meter = new TrafficMeter()) =>
  Layer.provideMerge(cachedBlobStoreLayer({ folder, sizeBytesMax, meter }), plain)

blobStoreSuite("memory", Layer.fresh(plain))
blobStoreSuite(
  "a folder",
  Layer.unwrap(
    Effect.sync(() =>
      blobStoreLayer.pipe(
        Layer.provideMerge(fileObjectStoreLayer(temporaryFolder())),
        Layer.provideMerge(hasherLayer)
      )
    )
  )
)
blobStoreSuite("a cache before memory", Layer.unwrap(Effect.sync(() => cached(temporaryFolder()))))
// Nothing can be kept below a file.
blobStoreSuite("a cache that cannot keep anything", cached(join(import.meta.filename, "cache")))

describe("a cached blob", () => {
  it.effect("is read from this machine, also by the next process, and by what was stored here", () =>
    Effect.gen(function* () {
      const folder = temporaryFolder()
      const meter = new TrafficMeter()
      yield* Effect.gen(function* () {
        const blobs = yield* BlobStore
        const objects = yield* ObjectStore
        const fetched = randomBytes(100_000)
        yield* objects.put(blobKey(digestOf(fetched)), fetched)
        yield* blobs.get(refOf(fetched))
        const stored = yield* blobs.put(randomBytes(10))
        // The store loses them: who has them still reads them.
        yield* objects.remove(blobKey(digestOf(fetched)))
        yield* objects.remove(blobKey(stored.blob))
        assert.deepStrictEqual(Buffer.from(yield* blobs.get(refOf(fetched))), fetched)
        yield* blobs.get(stored)
        assert.deepInclude(meter.traffic, { cacheHits: 2, cacheBytes: 100_010 })
        const next = new BlobCache({ folder, sizeBytesMax })
        assert.isDefined(yield* Effect.promise(() => next.read(stored)))
      }).pipe(Effect.provide(cached(folder, meter)))
    })
  )

  const damages = {
    flipped: (file: string, at: number) => {
      const bytes = readFileSync(file)
      bytes[at % bytes.length]! ^= 1
      const { atime, mtime } = statSync(file)
      writeFileSync(file, bytes)
      utimesSync(file, atime, mtime)
    },
    cut: (file: string, at: number) => writeFileSync(file, readFileSync(file).subarray(0, at)),
    emptied: (file: string) => writeFileSync(file, ""),
    replaced: (file: string) => writeFileSync(file, "other"),
    removed: (file: string) => rmSync(file),
    "made a folder": (file: string) => {
      rmSync(file)
      mkdirSync(file)
    }
  }

  it.effect.prop(
    "that is damaged is fetched anew, and kept anew",
    {
      what: Schema.Literals(Object.keys(damages) as ReadonlyArray<keyof typeof damages>),
      at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 }))
    },
    ({ at, what }) => {
      const folder = temporaryFolder()
      const meter = new TrafficMeter()
      return Effect.gen(function* () {
        const blobs = yield* BlobStore
        const bytes = randomBytes(1000)
        const ref = yield* blobs.put(bytes)
        damages[what](fileOf(folder, ref), at)
        assert.deepStrictEqual(Buffer.from(yield* blobs.get(ref)), bytes)
        assert.strictEqual(meter.traffic.cacheHits, 0)
        damages[what](fileOf(folder, ref), at)
        assert.deepStrictEqual(Buffer.from(yield* Stream.mkUint8Array(blobs.getStream(ref).chunks)), bytes)
        assert.strictEqual(meter.traffic.cacheHits, 0)
        assert.deepStrictEqual(Buffer.from(yield* Stream.mkUint8Array(blobs.getStream(ref).chunks)), bytes)
        assert.strictEqual(meter.traffic.cacheHits, 1)
        assert.deepStrictEqual(Buffer.from(yield* blobs.get(ref)), bytes)
        assert.strictEqual(meter.traffic.cacheHits, 2)
      }).pipe(Effect.provide(cached(folder, meter)))
    },
    { arbitrary: { runs: 30 } }
  )
})

describe("the bound of a cache", () => {
  const blob = (nth: number) => Buffer.alloc(100_000, `blob ${nth}`)

  it("holds; what was used last stays", async () => {
    const folder = temporaryFolder()
    const cache = new BlobCache({ folder, sizeBytesMax: 1_000_000 })
    const old = new Date(Date.now() - 3_600_000)
    for (let nth = 0; nth < 9; nth++) {
      await cache.keep(refOf(blob(nth)), blob(nth))
      utimesSync(fileOf(folder, refOf(blob(nth))), old, new Date(old.getTime() + nth))
    }
    assert.lengthOf(entriesIn(folder), 9)
    assert.isDefined(await cache.read(refOf(blob(0))))
    for (let nth = 9; nth < 12; nth++) {
      await cache.keep(refOf(blob(nth)), blob(nth))
      assert.isAtMost(bytesIn(folder), 1_000_000)
    }
    const kept = Array.from({ length: 12 }, (_, nth) => existsSync(fileOf(folder, refOf(blob(nth)))))
    assert.isTrue(kept[0] && kept[9] && kept[10] && kept[11])
    assert.isFalse(kept[1] || kept[2])
  })

  it("keeps nothing that is larger than all of it, and goes on", async () => {
    const folder = temporaryFolder()
    const cache = new BlobCache({ folder, sizeBytesMax: 150_000 })
    await cache.keep(refOf(blob(1)), blob(1))
    const large = randomBytes(200_000)
    await cache.keep(refOf(large), large)
    assert.deepStrictEqual(entriesIn(folder), [fileOf(folder, refOf(blob(1)))])
  })

  it("holds for processes that fill it at once; one that is killed leaves nothing wrong", async () => {
    const folder = temporaryFolder()
    const bound = 3_000_000
    const fill = (seed: number, count: number) =>
      spawn(
        process.execPath,
        [
          join(import.meta.dirname, "../../fixtures/fillCache.ts"),
          ...[folder, bound, 70_000 + seed, seed, count].map(String)
        ],
        { stdio: ["ignore", "pipe", "inherit"] }
      )
    const killed = fill(0, 1e9)
    killed.stdout.once("data", () => setTimeout(() => killed.kill("SIGKILL"), 300))
    const others = [1, 2, 3].map((seed) => fill(seed, 150))
    await Promise.all([killed, ...others].map((child) => once(child, "exit")))
    assert.deepStrictEqual(
      others.map(({ exitCode }) => exitCode),
      [0, 0, 0]
    )
    // What the others wrote while one was trimming.
    assert.isAtMost(bytesIn(folder), bound * 1.2)
    assert.isAtLeast(bytesIn(folder), bound * 0.5)
    for (const file of entriesIn(folder)) {
      assert.strictEqual(digestOf(readFileSync(file)), `sha256:${file.slice(-65).replace("/", "")}`)
    }
  }, 60_000)

  it("is counted anew where the count is lost, and what dead processes left is removed", async () => {
    const folder = temporaryFolder()
    const first = new BlobCache({ folder, sizeBytesMax })
    for (let nth = 0; nth < 5; nth++) await first.keep(refOf(blob(nth)), blob(nth))
    rmSync(join(folder, "blocks"))
    const [leftover, young] = ["1-dead", "2-alive"].map((name) => join(folder, "tmp", name)) as [
      string,
      string
    ]
    for (const file of [leftover, young]) writeFileSync(file, "half")
    const then = new Date(Date.now() - 2 * 3_600_000)
    utimesSync(leftover, then, then)
    const second = new BlobCache({ folder, sizeBytesMax: 400_000 })
    await second.keep(refOf(blob(9)), blob(9))
    assert.isAtMost(bytesIn(folder), 400_000)
    assert.deepStrictEqual([existsSync(leftover), existsSync(young)], [false, true])
  })
})

describe.skipIf(process.getuid?.() === 0)("a folder that may not be written to", () => {
  it("is told of once, and read from", async () => {
    const folder = temporaryFolder()
    const bytes = randomBytes(10)
    await new BlobCache({ folder, sizeBytesMax }).keep(refOf(bytes), bytes)
    chmodSync(folder, 0o500)
    const told: Array<string> = []
    const cache = new BlobCache({ folder, sizeBytesMax, onProblem: (reason) => told.push(reason) })
    for (let i = 0; i < 3; i++) await cache.keep(refOf(randomBytes(10)), randomBytes(10))
    assert.lengthOf(told, 1)
    assert.isDefined(await cache.read(refOf(bytes)))
    chmodSync(folder, 0o700)
  })
})

const smallDisk = temporaryFolder()
const mounted =
  spawnSync("mount", ["-t", "tmpfs", "-o", "size=520m", "tmpfs", smallDisk], { stdio: "ignore" }).status === 0
afterAll(() => {
  if (mounted) spawnSync("umount", [smallDisk])
})

// Needs a right to mount (root).
describe.skipIf(!mounted)("a disk that gets full", () => {
  it("is left its last 512 MiB, and nothing is half", async () => {
    const folder = join(smallDisk, "cache")
    const cache = new BlobCache({ folder, sizeBytesMax })
    const blobs = Array.from({ length: 12 }, (_, nth) => Buffer.alloc(1_000_000, nth))
    for (const bytes of blobs) await cache.keep(refOf(bytes), bytes)
    const kept = await Promise.all(blobs.map((bytes) => cache.read(refOf(bytes))))
    const numKept = kept.filter((bytes) => bytes !== undefined).length
    assert.isTrue(numKept >= 4 && numKept <= 9, `${numKept} were kept`)
    assert.deepStrictEqual(readdirSync(join(folder, "tmp")), [])
    writeFileSync(join(smallDisk, "filler"), Buffer.alloc(1_000_000))
    const late = randomBytes(1000)
    await cache.keep(refOf(late), late)
    assert.isUndefined(await cache.read(refOf(late)))
    assert.isDefined(await cache.read(refOf(blobs[0]!)))
  })
})
