import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { digestOf, hasherLayer } from "../../../infra/hashing.ts"
import { layer } from "../../../infra/sources/VerifiedSourceFiles.ts"
import { SourceFiles } from "../../../lib/data/SourceFiles.ts"

const sources = layer({ cacheFolder: "/nowhere" }).pipe(Layer.provide(hasherLayer))

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

it.layer(sources)("folders", (it) => {
  const paths = (root: string) =>
    Effect.flatMap(SourceFiles, (service) => Stream.runCollect(service.folder(root))).pipe(
      Effect.map((entries) => entries.map(({ path }) => path))
    )
  const digest = (root: string) => Effect.flatMap(SourceFiles, (service) => service.folderDigest(root))

  it.effect("lists visible files sorted by code unit, links followed", () =>
    Effect.gen(function* () {
      const root = yield* folderOf({ "b/1": "x", "B/2": "y", "a.txt": "z", ".git/x": "", "b/.hidden": "" })
      const elsewhere = yield* folderOf({ "3": "w" })
      symlinkSync(elsewhere, join(root, "c"))
      assert.deepStrictEqual(yield* paths(root), ["B/2", "a.txt", "b/1", "c/3"])
    })
  )

  it.effect("the digest names names and contents, not the place", () =>
    Effect.gen(function* () {
      const files = { "a/1": "one", "b/2": "two" }
      const expected = yield* digest(yield* folderOf(files))
      const lines = Object.entries(files).map(([path, text]) => `${path}\0${digestOf(text)}\n`)
      assert.strictEqual(expected, digestOf(`folder/1\n${lines.join("")}`))
      assert.strictEqual(yield* digest(yield* folderOf({ "b/2": "two", "a/1": "one" })), expected)
      assert.notStrictEqual(yield* digest(yield* folderOf({ ...files, "a/1": "One" })), expected)
      assert.notStrictEqual(yield* digest(yield* folderOf({ "a/1": "one", "b/3": "two" })), expected)
    })
  )

  it.effect("a folder that is absent, empty, a file, or leads back to itself is refused", () =>
    Effect.gen(function* () {
      const root = yield* folderOf({ "a/1": "one" })
      const reason = (path: string) => Effect.map(Effect.flip(paths(path)), ({ message }) => message)
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
