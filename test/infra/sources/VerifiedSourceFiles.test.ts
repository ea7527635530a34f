import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { digestOf, hasherLayer } from "../../../infra/hashing.ts"
import type { SourceFilesOptions } from "../../../infra/sources/locations.ts"
import { layer } from "../../../infra/sources/VerifiedSourceFiles.ts"
import { type SourceFile, SourceFiles, type SourceLocation } from "../../../lib/data/SourceFiles.ts"
import { writeTar } from "../../../lib/data/tar-writer.ts"

const content = new TextEncoder().encode("the right content ".repeat(400))
const zipped = gzipSync(content)

const file = (...locations: ReadonlyArray<SourceLocation>): SourceFile => ({
  name: "images",
  sha256: digestOf(content),
  compression: "gzip",
  locations
})
const mirror = (path: string): SourceLocation => ({ _tag: "Mirror", path })
const https = (url: string): SourceLocation => ({ _tag: "Https", url })

/** A folder for mirror and cache that is gone after the test. */
const folder = Effect.acquireRelease(
  Effect.sync(() => {
    const path = mkdtempSync(join(tmpdir(), "sources-"))
    mkdirSync(join(path, "mirror"))
    return path
  }),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const server = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const started = createServer(listener).listen(0, "127.0.0.1", () => resolve(started))
        })
    ),
    (started) =>
      Effect.sync(() => {
        started.closeAllConnections()
        started.close()
      })
  ).pipe(Effect.map((started) => `http://127.0.0.1:${(started.address() as AddressInfo).port}`))

const fetchFile = (root: string, wanted: SourceFile, options: Partial<SourceFilesOptions> = {}) =>
  Effect.flatMap(SourceFiles, (sources) => sources.fetch(wanted)).pipe(
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
const cached = (root: string) => readdirSync(join(root, "cache"))

describe("fetch from the mirror", () => {
  it.effect("plain, compressed and inside archives", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const archive = writeTar([{ name: "data/images.gz", bytes: zipped }])
      put(root, "images.gz", zipped)
      put(root, "pack.tar", archive)
      put(root, "pack.tar.gz", gzipSync(archive))
      for (const path of [
        "images.gz",
        "pack.tar/data/images.gz",
        "pack.tar/images.gz",
        "pack.tar.gz/images.gz"
      ]) {
        assert.deepStrictEqual(new Uint8Array(yield* fetchFile(root, file(mirror(path)))), content, path)
      }
      put(root, "images", content)
      const plain = { ...file(mirror("images")), compression: "none" } as const
      assert.strictEqual((yield* fetchFile(root, plain)).length, content.length)
    })
  )

  it.effect.each([
    ["truncated gzip", "cut.gz", "truncated"],
    ["damaged gzip", "damaged.gz", "the gzip data are damaged"],
    ["an absent file", "absent.gz", "the mirror has no absent.gz"],
    ["an absent archive", "absent.tar/x", "the mirror has no absent.tar"],
    ["an absent member", "pack.tar/x", 'pack.tar has no member "x"; it has data/images.gz, more/images.gz'],
    ["an ambiguous member", "pack.tar/images.gz", 'several members "images.gz"'],
    ["an archive with a path outside", "evil.tar/images.gz", 'member "../images.gz": its name'],
    ["a truncated archive", "cut.tar/data/images.gz", "truncated"],
    ["a path that leaves the mirror", "../secret", "leads outside the mirror"]
  ] as const)("says what is wrong with %s", ([, path, reason]) =>
    Effect.gen(function* () {
      const root = yield* folder
      const pack = [
        { name: "data/images.gz", bytes: zipped },
        { name: "more/images.gz", bytes: zipped }
      ]
      put(root, "pack.tar", writeTar(pack))
      put(root, "cut.tar", writeTar(pack).subarray(0, 900))
      put(root, "evil.tar", writeTar([{ name: "../images.gz", bytes: zipped }]))
      put(root, "cut.gz", zipped.subarray(0, zipped.length - 12))
      put(
        root,
        "damaged.gz",
        Uint8Array.from(zipped, (byte, index) => (index === 20 ? byte ^ 255 : byte))
      )
      const error = yield* Effect.flip(fetchFile(root, file(mirror(path))))
      assert.strictEqual(error._tag, "SourceUnavailable")
      assert.include(error.message, reason)
      assert.include(error.message, `mirror, ${path}`)
    })
  )

  it.effect("without a mirror, says which variable names one", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const error = yield* Effect.flip(fetchFile(root, file(mirror("x")), { mirror: undefined }))
      assert.include(error.message, "DISTILLERY_MIRROR")
    })
  )
})

describe("digests", () => {
  it.effect("wrong content is passed over where another location has the right one, and noted", () =>
    Effect.gen(function* () {
      const root = yield* folder
      put(root, "old.gz", gzipSync("something else"))
      put(root, "new.gz", zipped)
      const notes: Array<string> = []
      const wanted = file(mirror("old.gz"), mirror("new.gz"))
      yield* fetchFile(root, wanted, { note: (line) => notes.push(line) })
      assert.include(notes.join("\n"), "images not from mirror, old.gz: wrong content: expected sha256:")
    })
  )

  it.effect("wrong content and nothing better fails with both digests", () =>
    Effect.gen(function* () {
      const root = yield* folder
      put(root, "old.gz", gzipSync("something else"))
      const error = yield* Effect.flip(fetchFile(root, file(mirror("absent"), mirror("old.gz"))))
      assert.strictEqual(error._tag, "SourceDigestMismatch")
      assert.include(error.message, digestOf(content))
      assert.include(error.message, digestOf("something else"))
    })
  )

  it.effect("no location at all fails with each attempt", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const error = yield* Effect.flip(fetchFile(root, file(mirror("a"), mirror("b"), https("ftp://x/y"))))
      assert.strictEqual(error._tag, "SourceUnavailable")
      if (error._tag === "SourceUnavailable") assert.lengthOf(error.attempts, 3)
      assert.include(error.message, "only https is fetched")
    })
  )
})

describe("fetch from a server", () => {
  it.live("keeps the file, serves it from the cache, and repairs a damaged cache", () =>
    Effect.gen(function* () {
      const root = yield* folder
      let asked = 0
      const url = yield* server((_, response) => {
        asked++
        response.end(zipped)
      })
      const wanted = file(https(`${url}/images.gz`))
      yield* fetchFile(root, wanted)
      yield* fetchFile(root, wanted)
      assert.strictEqual(asked, 1)
      assert.deepStrictEqual(cached(root), [digestOf(content).slice(7)])
      const kept = join(root, "cache", digestOf(content).slice(7))
      writeFileSync(kept, "damaged")
      assert.deepStrictEqual(new Uint8Array(yield* fetchFile(root, wanted)), content)
      assert.strictEqual(asked, 2)
      assert.deepStrictEqual(new Uint8Array(readFileSync(kept)), content)
    })
  )

  it.live("tries again after a transient failure, not after a final one", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const asked: Record<string, number> = {}
      const url = yield* server((request, response) => {
        const path = request.url!
        asked[path] = (asked[path] ?? 0) + 1
        if (path === "/gone") response.writeHead(404).end()
        else if (asked[path] === 1) response.writeHead(503).end()
        else response.end(zipped)
      })
      yield* fetchFile(root, file(https(`${url}/gone`), https(`${url}/busy`)), { retries: 2 })
      assert.deepStrictEqual(asked, { "/gone": 1, "/busy": 2 })
    })
  )
})

describe("a server that misbehaves", () => {
  it.live("says so when a server is silent, hangs up, sends too much, or is not there", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const url = yield* server((request, response) => {
        if (request.url === "/silent") return
        response.writeHead(200, {
          "content-length": request.url === "/short" ? zipped.length + 9 : zipped.length
        })
        response.write(zipped)
        if (request.url === "/short") setTimeout(() => response.destroy(), 50)
        else response.end()
      })
      const reason = (path: string, options: Partial<SourceFilesOptions>) =>
        Effect.flip(fetchFile(root, file(https(path)), options)).pipe(Effect.map((error) => error.message))
      assert.include(yield* reason(`${url}/silent`, { idleTimeoutMillis: 200 }), "no answer for 0.2 s")
      assert.match(yield* reason(`${url}/short`, {}), /terminated|ended after/)
      assert.include(yield* reason(`${url}/large`, { maxBytes: 50 }), "larger than 50 bytes")
      assert.include(yield* reason("https://127.0.0.1:9/", {}), "fetch failed")
      assert.include(yield* reason("http://example.invalid/x", {}), "only https is fetched")
    })
  )

  it.live("takes a body that was decompressed on the way", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const url = yield* server((_, response) => {
        response.writeHead(200, { "content-encoding": "gzip", "content-length": zipped.length })
        response.end(zipped)
      })
      assert.deepStrictEqual(new Uint8Array(yield* fetchFile(root, file(https(url)))), content)
    })
  )
})

describe("Debian packages", () => {
  it.live("where apt-get is missing or knows no such package, the attempt says so", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const wanted = file({ _tag: "Debian", package: "no-such-package-of-distillery", path: "usr/x" })
      const error = yield* Effect.flip(fetchFile(root, wanted))
      assert.strictEqual(error._tag, "SourceUnavailable")
      assert.match(error.message, /apt-get is not on this machine|apt-get: E: /)
    })
  )
})
