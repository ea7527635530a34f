import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { hasherLayer } from "../../../infra/hashing.ts"
import type { SourceFilesOptions } from "../../../infra/sources/locations.ts"
import { layer } from "../../../infra/sources/VerifiedSourceFiles.ts"
import { SourceFiles, type SourceLocation } from "../../../lib/data/SourceFiles.ts"
import { writeTar } from "../../../lib/data/tar-writer.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const tarOf = (files: Readonly<Record<string, string>>) =>
  writeTar(Object.entries(files).map(([name, text]) => ({ name, bytes: encoder.encode(text) })))

const mirror = (path: string): SourceLocation => ({ _tag: "Mirror", path })
const https = (url: string): SourceLocation => ({ _tag: "Https", url })

/** A folder for mirror and cache that is gone after the test. */
const folder = Effect.acquireRelease(
  Effect.sync(() => {
    const path = mkdtempSync(join(tmpdir(), "archives-"))
    mkdirSync(join(path, "mirror"))
    return path
  }),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** A server's address, and how often it was asked. */
const server = Effect.fnUntraced(function* (listener: RequestListener) {
  const asked = { count: 0 }
  const counted: RequestListener = (request, response) => {
    asked.count++
    listener(request, response)
  }
  const started = yield* Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const one = createServer(counted).listen(0, "127.0.0.1", () => resolve(one))
        })
    ),
    (one) =>
      Effect.sync(() => {
        one.closeAllConnections()
        one.close()
      })
  )
  return { asked, url: `http://127.0.0.1:${(started.address() as AddressInfo).port}` }
})

const unpack = (
  root: string,
  locations: ReadonlyArray<SourceLocation>,
  inside = "Data",
  options: Partial<SourceFilesOptions> = {}
) =>
  Effect.flatMap(SourceFiles, (sources) => sources.archive({ name: "set", root: inside, locations })).pipe(
    Effect.map((files) =>
      Object.fromEntries([...files].map(([path, bytes]) => [path, decoder.decode(bytes)]))
    ),
    Effect.provide(
      layer({
        mirror: join(root, "mirror"),
        cacheFolder: join(root, "cache"),
        inputs: { projectDir: root, folder: join(root, "inputs") },
        idleTimeoutMillis: 2000,
        retries: 0,
        ...options
      }).pipe(Layer.provide(hasherLayer))
    )
  )

const put = (root: string, name: string, bytes: Uint8Array) =>
  writeFileSync(join(root, "mirror", name), bytes)

const files = { "a.txt": "one", "b/c.txt": "two" }
const packed = (prefix: string) =>
  tarOf({
    README: "no",
    ...Object.fromEntries(Object.entries(files).map(([path, text]) => [prefix + path, text]))
  })

describe("archives from the mirror", () => {
  it.effect.each([
    ["set.tar", packed("Data/")],
    ["set.tar.gz", gzipSync(packed("Data/"))],
    ["set.tgz", gzipSync(packed("set-0123abc/Data/"))],
    ["deep.tar", packed("x/y/Data/")]
  ] as const)("the files below the root, whatever lies above it: %s", ([name, bytes]) =>
    Effect.gen(function* () {
      const root = yield* folder
      put(root, name, bytes)
      assert.deepStrictEqual(yield* unpack(root, [mirror(name)]), files)
    })
  )

  it.effect("a folder of the root's name inside the root, or deeper elsewhere, is not taken for it", () =>
    Effect.gen(function* () {
      const root = yield* folder
      put(
        root,
        "set.tar",
        tarOf({ "old/x/Data/a": "no", "top/Data/a": "1", "top/Data/Data/b": "2", "top/MyData/c": "no" })
      )
      assert.deepStrictEqual(yield* unpack(root, [mirror("set.tar")]), { a: "1", "Data/b": "2" })
      assert.deepStrictEqual(yield* unpack(root, [mirror("set.tar")], "x/Data"), { a: "no" })
      assert.strictEqual(Object.keys(yield* unpack(root, [mirror("set.tar")], "")).length, 4)
    })
  )

  it.effect("the first location that has it, and why none does", () =>
    Effect.gen(function* () {
      const root = yield* folder
      put(root, "set.tar", packed("Data/"))
      put(root, "other.tar", tarOf({ "Other/a": "no" }))
      put(root, "two.tar", tarOf({ "x/Data/a": "1", "y/Data/a": "2" }))
      put(root, "cut.tgz", gzipSync(packed("Data/")).subarray(0, 60))
      put(root, "text.tar", encoder.encode("not found ".repeat(200)))
      mkdirSync(join(root, "mirror", "folder.tar"))
      const bad = [
        "absent.tar",
        "other.tar",
        "two.tar",
        "cut.tgz",
        "text.tar",
        "folder.tar",
        "../set.tar"
      ].map(mirror)
      assert.deepStrictEqual(yield* unpack(root, [...bad, mirror("set.tar")]), files)
      const error = yield* Effect.flip(unpack(root, bad))
      assert.strictEqual(error._tag, "SourceUnavailable")
      for (const line of [
        '"set" could not be had',
        "mirror, absent.tar: the mirror has no absent.tar",
        'mirror, other.tar: it has no files in a folder "Data"; it has Other/a',
        'mirror, two.tar: it has several folders "Data": x/Data, y/Data',
        "mirror, cut.tgz: the gzip data end too early",
        "mirror, text.tar: Archive",
        "mirror, folder.tar: ",
        "mirror, ../set.tar: the path leads outside the mirror"
      ]) {
        assert.include(error.message, line)
      }
    })
  )

  it.effect("no archive decompresses beyond the bound, and none names files outside itself", () =>
    Effect.gen(function* () {
      const root = yield* folder
      put(root, "bomb.tgz", gzipSync(new Uint8Array(2 ** 24)))
      put(root, "evil.tar", tarOf({ "Data/../../a": "x" }))
      put(root, "nul.tar", tarOf({ "Data/a\0b": "x" }))
      const locations = ["bomb.tgz", "evil.tar", "nul.tar"].map(mirror)
      const error = yield* Effect.flip(unpack(root, locations, "Data", { maxBytes: 2 ** 20 }))
      assert.include(error.message, "larger than allowed")
      assert.include(error.message, "leads outside the archive")
      assert.include(error.message, "holds a NUL character")
    })
  )
})

describe("archives by https", () => {
  it.live("are kept by their address: the second time, and without the server, nothing is fetched", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const { asked, url } = yield* server((_, response) => response.end(gzipSync(packed("set-1/Data/"))))
      const locations = [mirror("absent.tar"), https(`${url}/set.tar.gz`)]
      assert.deepStrictEqual(yield* unpack(root, locations), files)
      assert.deepStrictEqual(yield* unpack(root, locations), files)
      assert.strictEqual(asked.count, 1)
      // Another address is another archive.
      yield* unpack(root, [https(`${url}/set-2.tar.gz`)])
      assert.strictEqual(asked.count, 2)
    })
  )

  it.live("a damaged copy is fetched again; what is no archive, or ends early, is not kept", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const archive = gzipSync(packed("Data/"))
      const { asked, url } = yield* server((request, response) => {
        if (request.url === "/page") response.end("<html>sign in</html>".repeat(99))
        else if (request.url === "/cut") response.end(archive.subarray(0, 90))
        else response.end(archive)
      })
      for (const path of ["page", "cut"]) {
        const error = yield* Effect.flip(unpack(root, [https(`${url}/${path}`)]))
        assert.include(error.message, `${url}/${path}: `)
      }
      assert.throws(() => readdirSync(join(root, "cache")))
      yield* unpack(root, [https(`${url}/set`)])
      for (const name of readdirSync(join(root, "cache"))) {
        const file = join(root, "cache", name)
        const bytes = readFileSync(file)
        bytes[10] = bytes[10]! ^ 1
        writeFileSync(file, bytes)
        assert.deepStrictEqual(yield* unpack(root, [https(`${url}/set`)]), files)
      }
      assert.strictEqual(asked.count, 5)
    })
  )

  it.live("a cache that cannot be written costs nothing but the next download", () =>
    Effect.gen(function* () {
      const root = yield* folder
      writeFileSync(join(root, "cache"), "a file where a folder should be")
      const notes: Array<string> = []
      const { url } = yield* server((_, response) => response.end(packed("Data/")))
      const note = (line: string) => void notes.push(line)
      assert.deepStrictEqual(yield* unpack(root, [https(url)], "Data", { note }), files)
      assert.include(notes.join("\n"), "could not be kept")
    })
  )
})
