import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { assert, describe, it } from "vitest"
import { digestIndexedFile, readIndexedFolder } from "../../../infra/files/indexedFiles.ts"
import { StatIndex, stampAgeMinMillis } from "../../../infra/files/StatIndex.ts"
import type { FolderUnreadable } from "../../../infra/files/walkFolder.ts"
import { digestOf } from "../../../infra/hashing.ts"
import { filesDigest } from "../../../lib/data/files-digest.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const place = temporaryFolder()
const contents: Record<string, string> = { "a/1": "one", "a/2": "two", "b/1": "three" }

const folderOf = (name: string, files: Readonly<Record<string, string>> = contents): string => {
  const root = join(place, name)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

const digestIndexedFolder = async (index: StatIndex, root: string) =>
  (await readIndexedFolder(index, root)).digest
const empty = () => StatIndex.load(join(place, "absent"))
const contentDigest = (files: Readonly<Record<string, string>>) =>
  filesDigest(
    { digest: digestOf },
    Object.entries(files).map(([path, text]) => ({ path, bytes: new TextEncoder().encode(text) }))
  )
const refusal = (root: string) =>
  digestIndexedFolder(empty(), root).then(
    () => assert.fail("it was read"),
    (error: FolderUnreadable) => error.reason
  )

/** An index that trusts what it read: the files are older than the coarsest clock. */
const settled = async (root: string): Promise<StatIndex> => {
  await delay(stampAgeMinMillis)
  const index = empty()
  await digestIndexedFolder(index, root)
  return index
}

describe("the digest of a folder", () => {
  it("names visible files and their contents, whatever their place and times", async () => {
    const root = folderOf("first", { ...contents, ".DS_Store": "x", "a/.hidden/x": "y" })
    assert.strictEqual(await digestIndexedFolder(empty(), root), contentDigest(contents))
    const moved = join(place, "moved")
    renameSync(root, moved)
    utimesSync(join(moved, "a/1"), 1, 1)
    assert.strictEqual(await digestIndexedFolder(empty(), moved), contentDigest(contents))
    for (const other of [{ "a/1": "One" }, { "a/3": "" }]) {
      const files = { ...contents, ...other }
      const digest = await digestIndexedFolder(empty(), folderOf("other", files))
      assert.strictEqual(digest, contentDigest(files))
      rmSync(join(place, "other"), { recursive: true })
    }
  })

  it("follows a rename, a removal, and an edit that keeps size and modification time", async () => {
    const root = folderOf("edited")
    const index = await settled(root)
    const { atime, mtime } = statSync(join(root, "a/1"))
    writeFileSync(join(root, "a/1"), "ONE")
    utimesSync(join(root, "a/1"), atime, mtime)
    assert.strictEqual(await digestIndexedFolder(index, root), contentDigest({ ...contents, "a/1": "ONE" }))
    rmSync(join(root, "a/1"))
    renameSync(join(root, "a/2"), join(root, "b/2"))
    rmSync(join(root, "a"), { recursive: true })
    assert.strictEqual(
      await digestIndexedFolder(index, root),
      contentDigest({ "b/1": "three", "b/2": "two" })
    )
  })

  it("opens nothing that looks as it did, reads again what was written just before", async () => {
    const root = folderOf("trusted")
    const index = await settled(root)
    // Nobody but a test can change content under an old stamp: an index says what it was told.
    for (const path of Object.keys(contents)) {
      index.record(path, statSync(join(root, path)), digestOf("told"), Date.now())
    }
    const told = Object.keys(contents).map((path) => ({ path, bytes: new TextEncoder().encode("told") }))
    assert.strictEqual(await digestIndexedFolder(index, root), filesDigest({ digest: digestOf }, told))
    const { files } = await readIndexedFolder(index, root)
    assert.deepStrictEqual(
      files().map(({ digest, sizeBytes }) => [digest, sizeBytes]),
      Object.values(contents).map((text) => [digestOf("told"), text.length])
    )
    const young = empty()
    writeFileSync(join(root, "a/1"), "aaa")
    await digestIndexedFolder(young, root)
    assert.isUndefined(young.find("a/1", statSync(join(root, "a/1"))))
  })

  it("is taken of files of every size", async () => {
    const sizes = [0, 1, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 3 * 2 ** 20 + 5]
    const files = Object.fromEntries(sizes.map((size) => [`f${size}`, "x".repeat(size)]))
    assert.strictEqual(await digestIndexedFolder(empty(), folderOf("sizes", files)), contentDigest(files))
  })

  it("follows links to files and folders, but not into a circle", async () => {
    const root = folderOf("linked", { "a/1": "one" })
    folderOf("elsewhere", { "2": "two", "3": "three" })
    symlinkSync(join(place, "elsewhere"), join(root, "b"))
    symlinkSync(join(place, "elsewhere/2"), join(root, "a/2"))
    const files = { "a/1": "one", "a/2": "two", "b/2": "two", "b/3": "three" }
    assert.strictEqual(await digestIndexedFolder(empty(), root), contentDigest(files))
    symlinkSync(root, join(place, "elsewhere/back"))
    assert.include(await refusal(root), "link to a folder above it")
    rmSync(join(place, "elsewhere/back"))
    symlinkSync("nowhere", join(root, "dangling"))
    assert.include(await refusal(root), "does not exist")
  })

  it("is not to be had of a folder that is absent, a file, or holds an empty folder", async () => {
    const root = folderOf("refused")
    assert.include(await refusal(join(root, "absent")), "does not exist")
    assert.include(await refusal(join(root, "a/1")), "no folder")
    mkdirSync(join(root, "c"))
    assert.include(await refusal(root), "holds no file")
  })
})

it("the digest of a single file is that of its bytes", async () => {
  const root = folderOf("single")
  assert.strictEqual(await digestIndexedFile(empty(), join(root, "a/1")), digestOf("one"))
  const reason = await digestIndexedFile(empty(), root).catch((error: FolderUnreadable) => error.reason)
  assert.include(reason, "no file")
})
