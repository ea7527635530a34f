import { createHash } from "node:crypto"
import * as fs from "node:fs/promises"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { unpackWheel } from "../../../infra/tensorflow/wheel.ts"
import { zipArchive } from "../../support/zipArchive.ts"

let folder = ""
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(tmpdir(), "distillery-wheel-"))
})
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

const content = Buffer.from("a shared object, say ".repeat(200_000))
const sha256 = createHash("sha256").update(content).digest("hex")
const small = Buffer.from("small")

const unpack = async (archive: Buffer, wanted = /^b\//) => {
  const source = path.join(folder, "a.whl")
  const target = await fs.mkdtemp(path.join(folder, "out-"))
  const reports: Array<number> = []
  await fs.writeFile(source, archive)
  const files = await unpackWheel({
    archive: source,
    wanted,
    prefix: "b/",
    folder: target,
    onProgress: (bytes) => reports.push(bytes),
    signal: new AbortController().signal
  })
  return { files, reports, target }
}

describe("unpackWheel", () => {
  const archive = zipArchive([
    { name: "a.txt", content: Buffer.from("other") },
    { name: "b/lib.so", content },
    { name: "b/c/program", content: small, stored: true }
  ])

  it("unpacks the files wanted, below their prefix, and says what they are", async () => {
    const { files, reports, target } = await unpack(archive)
    expect(files).toEqual([
      { path: "lib.so", sizeBytes: content.length, sha256 },
      { path: "c/program", sizeBytes: 5, sha256: createHash("sha256").update(small).digest("hex") }
    ])
    expect((await fs.readFile(path.join(target, "lib.so"))).equals(content)).toBe(true)
    expect((await fs.stat(path.join(target, "c", "program"))).mode & 0o700).toBe(0o700)
    expect((await fs.readdir(target)).sort()).toEqual(["c", "lib.so"])
    expect(reports.at(-1)).toBe(content.length + 5)
  })

  it("refuses archives that hold nothing wanted, are cut off, or are none", async () => {
    await expect(unpack(archive, /^d\//)).rejects.toThrow(/holds nothing like/)
    await expect(unpack(archive.subarray(0, archive.length - 30))).rejects.toThrow(/end is missing/)
    await expect(unpack(Buffer.from("<html>not found</html>"))).rejects.toThrow(/no zip archive/)
  })
})
