import { spawnSync } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { afterAll } from "vitest"
import { withLockFile } from "../../../infra/stores/atomicFiles.ts"
import { fileObjectStoreLayer } from "../../../infra/stores/FileObjectStore.ts"
import { ObjectStore, type StoreError } from "../../../lib/storage/ObjectStore.ts"
import { objectStoreSuite } from "../../suites/objectStore.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const base = temporaryFolder()
let numFolders = 0
const freshFolder = (): string => join(base, String(numFolders++))

objectStoreSuite("file", Layer.unwrap(Effect.sync(() => fileObjectStoreLayer(freshFolder()))))

const open = (folder: string) => Effect.provide(ObjectStore, fileObjectStoreLayer(folder))
const filesIn = (folder: string) => readdirSync(folder, { recursive: true, withFileTypes: true })
const x = new TextEncoder().encode("x")

describe("a file on its way into the store", () => {
  const source = (path: string, unchanged: Effect.Effect<void, "changed">) => ({
    sizeBytes: 3,
    chunks: Stream.die("a file is copied, not read"),
    file: { path, unchanged }
  })

  it.effect("is copied by the system, readable whatever its own permissions are", () =>
    Effect.gen(function* () {
      const folder = freshFolder()
      const store = yield* open(folder)
      const path = join(base, "private")
      writeFileSync(path, "abc", { mode: 0o600 })
      const info = yield* store.putStream("a/b", source(path, Effect.void))
      assert.strictEqual(info.sizeBytes, 3)
      assert.deepStrictEqual(yield* store.head("a/b"), info)
      const copy = join(folder, "objects", "a", "b")
      assert.strictEqual(readFileSync(copy, "utf8"), "abc")
      assert.strictEqual(statSync(copy).mode & 0o777, 0o644)
    })
  )

  it.effect("leaves nothing where it turns out changed, or is gone", () =>
    Effect.gen(function* () {
      const folder = freshFolder()
      const store = yield* open(folder)
      const path = join(base, "changing")
      writeFileSync(path, "abc")
      const changed = yield* Effect.flip(store.putStream("a", source(path, Effect.fail("changed"))))
      assert.strictEqual(changed, "changed")
      const gone = yield* Effect.flip(store.putStream("a", source(join(base, "gone"), Effect.void)))
      assert.strictEqual((gone as StoreError)._tag, "StoreUnavailable")
      assert.deepStrictEqual(
        filesIn(folder)
          .map(({ name }) => name)
          .filter((name) => name !== "format.json"),
        ["locks", "objects", "tmp"]
      )
    })
  )
})

describe("a store's folder", () => {
  it.effect("is made where it is not, and opened again", () =>
    Effect.gen(function* () {
      const folder = join(freshFolder(), "deep", "down")
      yield* (yield* open(folder)).put("a/b", x)
      assert.strictEqual(
        readFileSync(join(folder, "format.json"), "utf8"),
        '{"format":"distillery-store","version":1}\n'
      )
      assert.deepStrictEqual(yield* (yield* open(folder)).get("a/b"), x)
    })
  )

  it.effect.skipIf(!existsSync("/proc"))("that cannot be made is an error, not an endless wait", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(open("/proc/no/such"))
      assert.strictEqual(error._tag, "StoreUnusable")
      assert.match(error.message, /\/proc\/no\/such.*ENOENT/)
    })
  )

  it.effect.each([
    ['{"format":"distillery-store","version":2}', /version 2, this program knows version 1/],
    ['{"format":"distill', /not what this program writes/],
    ['{"format":"other","version":1}', /not what this program writes/]
  ] as const)("with format.json %s is refused", ([text, message]) =>
    Effect.gen(function* () {
      const folder = freshFolder()
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, "format.json"), text)
      const error = yield* Effect.flip(open(folder))
      assert.strictEqual(error._tag, "StoreUnusable")
      assert.match(error.message, message)
    })
  )

  it.effect("that is a file is refused", () =>
    Effect.gen(function* () {
      const folder = freshFolder()
      writeFileSync(folder, "")
      assert.strictEqual((yield* Effect.flip(open(folder)))._tag, "StoreUnusable")
    })
  )

  it.effect("is swept of what dead writers left, not of what living ones write", () =>
    Effect.gen(function* () {
      const folder = freshFolder()
      yield* open(folder)
      const [dead, living] = [join(folder, "tmp", "1-dead"), join(folder, "tmp", "2-living")]
      writeFileSync(dead, "")
      writeFileSync(living, "")
      const twoHoursAgo = new Date(Date.now() - 7_200_000)
      utimesSync(dead, twoHoursAgo, twoHoursAgo)
      yield* open(folder)
      assert.isFalse(existsSync(dead))
      assert.isTrue(existsSync(living))
    })
  )

  it.effect("holds nothing but the objects after many writes", () =>
    Effect.gen(function* () {
      const folder = freshFolder()
      const store = yield* open(folder)
      yield* Effect.forEach([1, 2, 3, 4, 5], () => store.put("k", x), { concurrency: 5 })
      yield* Effect.ignore(store.put("k", x, { _tag: "Absent" }))
      yield* store.remove("k")
      assert.lengthOf(
        filesIn(folder).filter((entry) => entry.isFile() && entry.name !== "format.json"),
        0
      )
    })
  )
})

describe("locks", () => {
  it("of a process that is gone is taken over", async () => {
    const folder = freshFolder()
    mkdirSync(folder)
    const lockFile = join(folder, "x.lock")
    const gone = spawnSync(process.execPath, ["-e", ""]).pid
    writeFileSync(lockFile, `${hostname()} ${gone}`)
    assert.strictEqual(await withLockFile(lockFile, async () => "mine"), "mine")
    assert.deepStrictEqual(readdirSync(folder), [])
  })

  it("let one holder in at a time", async () => {
    const folder = freshFolder()
    mkdirSync(folder)
    let inside = 0
    const enter = () =>
      withLockFile(join(folder, "x.lock"), async () => {
        assert.strictEqual(++inside, 1)
        await new Promise((resolve) => setTimeout(resolve, 2))
        inside--
      })
    await Promise.all(Array.from({ length: 8 }, enter))
  })
})

const smallDisk = join(base, "disk")
mkdirSync(smallDisk)
const mounted =
  spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", smallDisk], { stdio: "ignore" }).status === 0
afterAll(() => {
  if (mounted) spawnSync("umount", [smallDisk])
  rmSync(base, { recursive: true, force: true })
})

// Needs a right to mount (root); the translation of the error is the same on every disk.
describe.skipIf(!mounted)("a full disk", () => {
  it.effect("fails the write with the numbers, leaves nothing behind and keeps what is there", () =>
    Effect.gen(function* () {
      const folder = join(smallDisk, "store")
      const store = yield* open(folder)
      yield* store.put("small", x)
      const error = yield* Effect.flip(store.put("big", new Uint8Array(1_000_000)))
      assert.strictEqual(error._tag, "StoreFull")
      assert.match(error.message, /1000000 bytes of "big"/)
      assert.deepStrictEqual(readdirSync(join(folder, "tmp")), [])
      assert.deepStrictEqual(readdirSync(join(folder, "locks")), [])
      assert.deepStrictEqual(yield* store.get("small"), x)
      assert.strictEqual((yield* Effect.flip(store.get("big")))._tag, "ObjectNotFound")
    })
  )
})
