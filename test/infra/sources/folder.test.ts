import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { stampAgeMinMillis } from "../../../infra/files/StatIndex.ts"
import { digestOf } from "../../../infra/hashing.ts"
import { readFolder } from "../../../infra/sources/folder.ts"

const folderOf = (files: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const root = mkdtempSync(join(tmpdir(), "folder-"))
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(root, path)), { recursive: true })
        writeFileSync(join(root, path), text)
      }
      return root
    }),
    (root) => Effect.sync(() => rmSync(root, { recursive: true }))
  )

const read = (path: string, projectDir = "/") => readFolder({ projectDir, folder: "/nowhere" }, path)

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

describe("folders", () => {
  it.effect("list visible files sorted by code unit, links followed", () =>
    Effect.gen(function* () {
      const root = yield* folderOf({ "b/1": "x", "B/2": "y", "a.txt": "z", ".git/x": "", "b/.hidden": "" })
      const elsewhere = yield* folderOf({ "3": "three" })
      symlinkSync(elsewhere, join(root, "c"))
      const { files } = yield* read(root)
      assert.deepStrictEqual(
        files.map(({ path }) => path),
        ["B/2", "a.txt", "b/1", "c/3"]
      )
      const last = files.at(-1)!
      assert.deepStrictEqual([last.sizeBytes, last.digest], [5, digestOf("three")])
      assert.strictEqual(textOf(yield* last.bytes), "three")
    })
  )

  it.effect("lie where the project does, unless their path is absolute", () =>
    Effect.gen(function* () {
      const root = yield* folderOf({ "pets/cat": "x" })
      assert.strictEqual((yield* read("pets", root)).digest, (yield* read(join(root, "pets"))).digest)
    })
  )

  it.effect("have a digest that names names and contents, not the place", () =>
    Effect.gen(function* () {
      const files = { "a/1": "one", "b/2": "two" }
      const digest = (given: Readonly<Record<string, string>>) =>
        Effect.map(Effect.flatMap(folderOf(given), read), (folder) => folder.digest)
      const expected = yield* digest(files)
      const lines = Object.entries(files).map(([path, text]) => `${path}\0${digestOf(text)}\n`)
      assert.strictEqual(expected, digestOf(`folder/1\n${lines.join("")}`))
      assert.strictEqual(yield* digest({ "b/2": "two", "a/1": "one" }), expected)
      assert.notStrictEqual(yield* digest({ ...files, "a/1": "One" }), expected)
      assert.notStrictEqual(yield* digest({ "a/1": "one", "b/3": "two" }), expected)
    })
  )

  it.effect("give no content but the one they had when they were looked at", () =>
    Effect.gen(function* () {
      const root = yield* folderOf({ "a/1": "one", "a/2": "two" })
      const [first, second] = (yield* read(root)).files
      writeFileSync(join(root, "a/1"), "ONE")
      assert.strictEqual((yield* Effect.flip(first!.bytes))._tag, "SourceChanged")
      writeFileSync(join(root, "a/1"), "one")
      assert.strictEqual(textOf(yield* first!.bytes), "one")
      rmSync(join(root, "a/2"))
      const gone = yield* Effect.flip(second!.bytes)
      assert.strictEqual(gone._tag, "SourceUnreadable")
      assert.include(gone.message, "a/2")
    })
  )

  it.effect("give a store their files in chunks, or to copy once their stamps can be trusted", () =>
    Effect.gen(function* () {
      const root = yield* folderOf({ "a/1": "one" })
      const open = Effect.map(read(root), ({ files }) => files[0]!.source)
      const young = yield* open
      assert.isUndefined(young.file)
      assert.deepStrictEqual(yield* Stream.mkUint8Array(young.chunks), new TextEncoder().encode("one"))
      yield* Effect.sleep(stampAgeMinMillis)
      const { chunks, file } = yield* open
      assert.strictEqual(file?.path, join(root, "a/1"))
      yield* file!.unchanged
      const { atime, mtime } = statSync(file!.path)
      writeFileSync(file!.path, "ONE")
      utimesSync(file!.path, atime, mtime)
      assert.strictEqual((yield* Effect.flip(file!.unchanged))._tag, "SourceChanged")
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(chunks)))._tag, "SourceChanged")
    }).pipe(TestClock.withLive)
  )

  it.effect("are refused where they are absent, empty, a file, or lead back to themselves", () =>
    Effect.gen(function* () {
      const root = yield* folderOf({ "a/1": "one" })
      const reason = (path: string) => Effect.map(Effect.flip(read(path)), ({ message }) => message)
      assert.include(yield* reason(join(root, "absent")), "does not exist")
      assert.include(yield* reason(join(root, "a", "1")), "no folder")
      mkdirSync(join(root, "empty"))
      assert.include(yield* reason(root), "holds no file")
      rmSync(join(root, "empty"), { recursive: true })
      symlinkSync(root, join(root, "a", "loop"))
      assert.include(yield* reason(root), "link to a folder above it")
    })
  )
})
