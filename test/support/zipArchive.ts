/** A zip archive by the book: local headers with data, directory, end record. */
import { crc32, deflateRawSync } from "node:zlib"

export interface ZipEntry {
  readonly name: string
  readonly content: Buffer
  /** Kept as it is; else compressed. */
  readonly stored?: boolean
}

export const zipArchive = (files: ReadonlyArray<ZipEntry>): Buffer => {
  const locals: Array<Buffer> = []
  const entries: Array<Buffer> = []
  let offset = 0
  for (const { name, content, stored = false } of files) {
    const packed = stored ? content : deflateRawSync(content)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    writeFields(local, 4, { packed, content, name, stored })
    // An extra field that the directory does not have: the two headers need not agree.
    local.writeUInt16LE(4, 28)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    writeFields(entry, 6, { packed, content, name, stored })
    entry.writeUInt32LE(offset, 42)
    locals.push(local, Buffer.from(name), Buffer.from([0xfe, 0xca, 0, 0]), packed)
    entries.push(entry, Buffer.from(name))
    offset += local.length + name.length + 4 + packed.length
  }
  return Buffer.concat([...locals, ...endOf(entries, files.length, offset)])
}

interface Fields {
  readonly packed: Buffer
  readonly content: Buffer
  readonly name: string
  readonly stored: boolean
}

/** What both headers hold, in one order, from "version needed to extract" on. */
const writeFields = (header: Buffer, at: number, { content, name, packed, stored }: Fields): void => {
  header.writeUInt16LE(20, at)
  header.writeUInt16LE(stored ? 0 : 8, at + 4)
  header.writeUInt32LE(crc32(content), at + 10)
  header.writeUInt32LE(packed.length, at + 14)
  header.writeUInt32LE(content.length, at + 18)
  header.writeUInt16LE(name.length, at + 22)
}

const endOf = (entries: ReadonlyArray<Buffer>, count: number, offset: number): ReadonlyArray<Buffer> => {
  const directory = Buffer.concat(entries)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(count, 8)
  end.writeUInt16LE(count, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(offset, 16)
  return [directory, end]
}
