import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { type FileStamp, StatIndex, stampAgeMinMillis } from "../../../infra/files/StatIndex.ts"
import { digestOf } from "../../../infra/hashing.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const folder = temporaryFolder()
const written = 1_790_000_000_000.25
const later = written + stampAgeMinMillis
const stamp: FileStamp = { size: 3, mtimeMs: written, ctimeMs: written, ino: 2 ** 40 + 1 }
const paths = ["a", "b/ä \n.jpg", "b/c"]

const filled = () => {
  const index = StatIndex.load(join(folder, "absent"))
  for (const path of paths) index.record(path, stamp, digestOf(path), later)
  return index
}

const reloaded = (index: StatIndex, name: string) => {
  const file = join(folder, name)
  index.save(file)
  return StatIndex.load(file)
}

describe("StatIndex", () => {
  it("finds a file again by all of its stamp, before and after it was written down", () => {
    for (const index of [filled(), reloaded(filled(), "round-trip")]) {
      assert.strictEqual(index.size, paths.length)
      for (const path of paths) assert.strictEqual(index.find(path, stamp), digestOf(path))
      assert.isUndefined(index.find("absent", stamp))
      assert.isUndefined(index.digestOf("absent"))
      for (const key of ["size", "mtimeMs", "ctimeMs", "ino"] as const) {
        assert.isUndefined(index.find("a", { ...stamp, [key]: stamp[key] + 0.25 }), key)
        assert.strictEqual(index.digestOf("a"), digestOf("a"))
      }
    }
  })

  it("does not trust a file that was stamped shortly before it was read, but remembers it", () => {
    for (const times of [{ ctimeMs: written + 1 }, { mtimeMs: written + 1 }]) {
      const index = filled()
      const young = { ...stamp, ...times }
      index.record("a", young, digestOf("new"), later)
      assert.isUndefined(index.find("a", young))
      assert.include(
        [...index.files()].map(({ digest }) => digest),
        digestOf("new")
      )
      index.record("a", young, digestOf("new"), later + 1)
      assert.strictEqual(index.find("a", young), digestOf("new"))
    }
  })

  it("keeps only the files it is told to, and goes on from there", () => {
    const index = reloaded(filled(), "before")
    index.keepOnly(new Set(["b/c", "a"]))
    index.record("new", stamp, digestOf("new"), later)
    const kept = reloaded(index, "kept")
    assert.deepStrictEqual(
      [...kept.files()],
      ["a", "b/c", "new"].map((path) => ({ path, digest: digestOf(path) }))
    )
    assert.isUndefined(kept.find("b/ä \n.jpg", stamp))
  })

  it("is empty where its file is damaged anywhere, and is written anew", () => {
    const file = join(folder, "damaged")
    filled().save(file)
    const bytes = readFileSync(file)
    const damages = [
      ...Array.from({ length: Math.floor(bytes.length / 3) }, (_, third) => {
        const flipped = Uint8Array.from(bytes)
        flipped[3 * third]! ^= 1
        return flipped
      }),
      bytes.subarray(0, 40),
      new Uint8Array()
    ]
    for (const damaged of damages) {
      writeFileSync(file, damaged)
      assert.strictEqual(StatIndex.load(file).size, 0)
    }
    assert.strictEqual(reloaded(filled(), "damaged").size, paths.length)
  })

  it("writes nothing where nothing is new, and leaves nothing else behind", () => {
    const file = join(folder, "place", "unchanged")
    filled().save(file)
    const loaded = StatIndex.load(file)
    loaded.keepOnly(new Set(paths))
    writeFileSync(file, "mark")
    loaded.save(file)
    assert.strictEqual(readFileSync(file, "utf8"), "mark")
    assert.deepStrictEqual(readdirSync(join(folder, "place")), ["unchanged"])
  })

  it("knows the digest of the whole until something is recorded or forgotten", () => {
    const whole = digestOf("whole")
    const remembered = () => {
      const index = filled()
      index.rememberWhole(whole)
      return reloaded(index, "whole")
    }
    assert.isUndefined(reloaded(filled(), "parts").wholeDigest)
    assert.strictEqual(remembered().wholeDigest, whole)
    const more = remembered()
    more.record("new", stamp, digestOf("new"), later)
    assert.isUndefined(reloaded(more, "more").wholeDigest)
    const fewer = remembered()
    fewer.keepOnly(new Set(["a"]))
    assert.isUndefined(reloaded(fewer, "fewer").wholeDigest)
  })

  it("grows", () => {
    const index = StatIndex.load(join(folder, "absent"))
    const many = Array.from({ length: 1000 }, (_, at) => `file ${at}`)
    for (const path of many) index.record(path, stamp, digestOf(path), later)
    const again = reloaded(index, "many")
    assert.isTrue(many.every((path) => again.find(path, stamp) === digestOf(path)))
  })
})
