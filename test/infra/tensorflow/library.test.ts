import * as fs from "node:fs/promises"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeRecord } from "../../../infra/tensorflow/installed.ts"
import { locateLibrary, resolveLibrary } from "../../../infra/tensorflow/library.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(tmpdir(), "distillery-library-"))),
  (made) => Effect.promise(() => fs.rm(made, { recursive: true, force: true }))
)

const put = (directory: string, ...names: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    await fs.mkdir(directory, { recursive: true })
    for (const name of names) await fs.writeFile(path.join(directory, name), "")
  })

describe("locateLibrary", () => {
  it.effect("takes the folder the user names, of a C release as of a wheel", () =>
    Effect.gen(function* () {
      const root = yield* folder
      for (const api of ["libtensorflow.so.2", "libtensorflow_cc.so.2"]) {
        const directory = path.join(root, api)
        yield* put(directory, api, "libtensorflow_framework.so.2")
        const found = yield* locateLibrary({ directory, cacheDirectory: root })
        expect(found).toMatchObject({ kind: "native", directory, api: path.join(directory, api) })
      }
    })
  )

  it.effect("fails if that folder holds no library, whatever else there is", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* put(root, "libtensorflow_cc.so.2")
      const error = yield* Effect.flip(resolveLibrary({ directory: root, cacheDirectory: root }))
      expect(error._tag).toBe("LibraryMissing")
      expect(error.message).toContain(root)
      expect(error.message).toMatch(/libtensorflow_framework/)
    })
  )

  it.effect("finds what was fetched before, and nothing half fetched", () =>
    Effect.gen(function* () {
      const cacheDirectory = yield* folder
      const names = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"]
      yield* put(path.join(cacheDirectory, "tensorflow", "staging-x", "lib"), ...names)
      expect(yield* locateLibrary({ cacheDirectory })).toMatchObject({ kind: "portable" })
      const target = path.join(cacheDirectory, "tensorflow", "2.21.0-cpu-linux-x64")
      yield* put(target, ...names)
      expect(yield* locateLibrary({ cacheDirectory })).toMatchObject({
        kind: "portable",
        reason: expect.stringMatching(/installed.json is missing/)
      })
      const files = names.map((name) => ({ path: name, sizeBytes: 0, sha256: "" }))
      yield* Effect.promise(() => writeRecord(target, files))
      expect(yield* locateLibrary({ cacheDirectory })).toMatchObject({ kind: "native" })
      expect(yield* resolveLibrary({ cacheDirectory, offline: true })).toMatchObject({ kind: "native" })
    })
  )

  it.effect("answers portable with the reason when fetching is switched off", () =>
    Effect.gen(function* () {
      const cacheDirectory = yield* folder
      const answer = yield* resolveLibrary({ cacheDirectory, offline: true })
      expect(answer).toEqual({ kind: "portable", reason: "fetching is switched off" })
      expect(yield* Effect.promise(() => fs.readdir(cacheDirectory))).toEqual([])
    })
  )
})
