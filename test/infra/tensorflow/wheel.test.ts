import { createHash } from "node:crypto"
import * as fs from "node:fs/promises"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { deflateRawSync } from "node:zlib"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { extractFromWheel } from "../../../infra/tensorflow/wheel.ts"

let folder = ""
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(tmpdir(), "distillery-wheel-"))
})
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

/** A zip archive by the book: local headers with data, directory, end record. */
const zip = (files: ReadonlyArray<readonly [string, Buffer]>): Buffer => {
  const locals: Array<Buffer> = []
  const entries: Array<Buffer> = []
  let offset = 0
  for (const [name, content] of files) {
    const packed = deflateRawSync(content)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(name.length, 26)
    // An extra field that the directory does not have: the two headers need not agree.
    local.writeUInt16LE(4, 28)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(8, 10)
    entry.writeUInt32LE(packed.length, 20)
    entry.writeUInt32LE(content.length, 24)
    entry.writeUInt16LE(name.length, 28)
    entry.writeUInt32LE(offset, 42)
    locals.push(local, Buffer.from(name), Buffer.alloc(4), packed)
    entries.push(entry, Buffer.from(name))
    offset += local.length + name.length + 4 + packed.length
  }
  const directory = Buffer.concat(entries)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, directory, end])
}

const content = Buffer.from("a shared object, say ".repeat(200_000))
const known = {
  entry: "b/lib.so",
  sizeBytes: content.length,
  sha256: createHash("sha256").update(content).digest("hex")
}

const extract = async (
  archive: Buffer,
  file = known
): Promise<{ written: Buffer; reports: Array<number> }> => {
  const source = path.join(folder, "a.whl")
  const target = path.join(folder, "out")
  const reports: Array<number> = []
  await fs.writeFile(source, archive)
  await extractFromWheel(source, file, target, (bytes) => reports.push(bytes), new AbortController().signal)
  return { written: await fs.readFile(target), reports }
}

describe("extractFromWheel", () => {
  const archive = zip([
    ["a.txt", Buffer.from("other")],
    ["b/lib.so", content]
  ])

  it("unpacks the file wanted and reports the bytes", async () => {
    const { written, reports } = await extract(archive)
    expect(written.equals(content)).toBe(true)
    expect(reports.at(-1)).toBe(content.length)
  })

  it("refuses a file that is not the one known, with both digests", async () => {
    const wrong = extract(archive, { ...known, sha256: "0".repeat(64) })
    await expect(wrong).rejects.toThrow(new RegExp(`${known.sha256}.*${"0".repeat(64)}`))
  })

  it("refuses archives that lack the file, are cut off, or are none", async () => {
    await expect(extract(zip([["c", content]]))).rejects.toThrow(/holds no b\/lib.so/)
    await expect(extract(archive.subarray(0, archive.length - 30))).rejects.toThrow(/end is missing/)
    await expect(extract(Buffer.from("<html>not found</html>"))).rejects.toThrow(/no zip archive/)
  })
})
