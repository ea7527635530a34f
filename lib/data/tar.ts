/**
 * A reader of tar archives that trusts nothing: USTAR, pax and GNU long names (POSIX.1-2001, pax interchange
 * format), links to members of the same archive. `tar-writer.ts` is its other half.
 */
import { Effect, Result, Schema } from "effect"

export const blockBytes = 512

export class ArchiveInvalid extends Schema.TaggedError<ArchiveInvalid>()("ArchiveInvalid", {
  archive: Schema.String,
  member: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    const where = this.member === "" ? "" : `, member "${this.member}"`
    return `Archive "${this.archive}"${where}: ${this.reason}. Nothing of it was used.`
  }
}

/** Where a file's bytes lie in its archive. Folders are not listed, links are resolved. */
export interface TarMember {
  readonly name: string
  readonly offset: number
  readonly sizeBytes: number
}

export interface TarEntry {
  readonly name: string
  readonly bytes: Uint8Array
}

interface Header {
  readonly name: string
  readonly link: string
  readonly type: string
  readonly sizeBytes: number
}

const decoder = new TextDecoder()

const textAt = (block: Uint8Array, offset: number, length: number): string => {
  const field = block.subarray(offset, offset + length)
  const end = field.indexOf(0)
  return decoder.decode(end === -1 ? field : field.subarray(0, end))
}

/** Octal digits, or GNU's big-endian binary form where the first byte is 0x80; NaN where it is neither. */
const numberAt = (block: Uint8Array, offset: number, length: number): number => {
  if (block[offset] === 0x80) {
    return block.subarray(offset + 1, offset + length).reduce((sum, byte) => sum * 256 + byte, 0)
  }
  const text = textAt(block, offset, length).trim()
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN
}

/** Sum of the header's bytes, its own checksum field counted as spaces. */
export const checksumOf = (block: Uint8Array): number =>
  block.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 32 : byte), 0)

type Extension = ReadonlyMap<string, string>

/** A member's header, where `extension` (what a pax or GNU header before it said) has the last word. */
const headerOf = (
  archive: string,
  block: Uint8Array,
  extension: Extension
): Result.Result<Header, ArchiveInvalid> => {
  const prefix = textAt(block, 257, 6) === "ustar" ? textAt(block, 345, 155) : ""
  const ownName = prefix === "" ? textAt(block, 0, 100) : `${prefix}/${textAt(block, 0, 100)}`
  const name = extension.get("path") ?? ownName
  const refuse = (member: string, reason: string) =>
    Result.fail(new ArchiveInvalid({ archive, member, reason }))
  if (numberAt(block, 148, 8) !== checksumOf(block)) {
    return refuse("", "a header's checksum is wrong: it is damaged, or not a tar archive")
  }
  const paxSize = extension.get("size")
  const sizeBytes =
    paxSize === undefined ? numberAt(block, 124, 12) : /^\d+$/.test(paxSize) ? +paxSize : Number.NaN
  if (!Number.isSafeInteger(sizeBytes)) return refuse(name, "its size is not a number")
  const type = block[156] === 0 ? "0" : String.fromCharCode(block[156]!)
  return Result.succeed({ name, link: extension.get("linkpath") ?? textAt(block, 157, 100), type, sizeBytes })
}

/** `./a//b` as `a/b`; fails where the path would leave the archive's own tree. */
const insidePath = (
  archive: string,
  member: string,
  path: string,
  what: string
): Result.Result<string, ArchiveInvalid> => {
  const refuse = (why: string) =>
    Result.fail(
      new ArchiveInvalid({ archive, member, reason: `${what} "${path}" ${why}, so it is not to be trusted` })
    )
  if (path.startsWith("/")) return refuse("is absolute")
  if (path.includes("\0")) return refuse("holds a NUL character")
  const segments: Array<string> = []
  for (const segment of path.split("/")) {
    if (segment === "..") {
      if (segments.length === 0 || what === "its name") return refuse("leads outside the archive")
      segments.pop()
    } else if (segment !== "" && segment !== ".") segments.push(segment)
  }
  return Result.succeed(segments.join("/"))
}

/** Records `<length> <key>=<value>\n` of a pax header; a malformed one ends the reading. */
const paxRecords = (bytes: Uint8Array): Extension => {
  const records = new Map<string, string>()
  let offset = 0
  while (offset < bytes.length) {
    const space = bytes.indexOf(32, offset)
    const length = Number.parseInt(decoder.decode(bytes.subarray(offset, space)), 10)
    if (space === -1 || !(length > space - offset)) break
    const record = decoder.decode(bytes.subarray(space + 1, offset + length - 1))
    const equals = record.indexOf("=")
    if (equals > 0) records.set(record.slice(0, equals), record.slice(equals + 1))
    offset += length
  }
  return records
}

interface Link {
  readonly name: string
  readonly target: string
}

/** What a link names: relative to its own folder for a symbolic one, to the archive's root for a hard one. */
const targetOf = (archive: string, header: Header): Result.Result<string, ArchiveInvalid> => {
  const symbolic = header.type === "2" && !header.link.startsWith("/")
  const folder = symbolic && header.name.includes("/") ? header.name.replace(/[^/]*$/, "") : ""
  return insidePath(archive, header.name, folder + header.link, "its link to")
}

const resolved = Effect.fnUntraced(function* (
  archive: string,
  files: Map<string, TarMember>,
  links: ReadonlyArray<Link>
) {
  for (const { name, target } of links) {
    const file = files.get(target)
    if (file === undefined) {
      const reason = `it links to "${target}", which is not a file of the archive`
      return yield* new ArchiveInvalid({ archive, member: name, reason })
    }
    files.set(name, { ...file, name })
  }
  return [...files.values()]
})

/** Gives the bytes of an archive. */
type ReadBytes<E, R> = (offset: number, length: number) => Effect.Effect<Uint8Array, E, R>

/**
 * The member whose headers begin at `offset`, and where the next one's do; `undefined` at the end marker.
 * Fails with `ArchiveInvalid` on a damaged header, a truncated archive, a device, an absolute path or a `..`.
 */
export const memberAt = Effect.fnUntraced(function* <E, R>(
  archive: string,
  totalBytes: number,
  read: ReadBytes<E, R>,
  offset: number
) {
  let extension: Extension = new Map()
  let at = offset
  while (at + blockBytes <= totalBytes) {
    const block = yield* read(at, blockBytes)
    if (block.every((byte) => byte === 0)) return undefined
    const header = yield* Effect.fromResult(headerOf(archive, block, extension))
    const start = at + blockBytes
    if (start + header.sizeBytes > totalBytes) {
      const left = totalBytes - start
      const reason = `it says ${header.sizeBytes} bytes, but the archive ends ${left} bytes on: truncated`
      return yield* new ArchiveInvalid({ archive, member: header.name, reason })
    }
    at = start + Math.ceil(header.sizeBytes / blockBytes) * blockBytes
    if (!"xLK".includes(header.type)) {
      return { place: yield* Effect.fromResult(placeOf(archive, header, start)), next: at }
    }
    extension = new Map([...extension, ...extensionOf(header.type, yield* read(start, header.sizeBytes))])
  }
  return yield* new ArchiveInvalid({ archive, member: "", reason: "the end marker is missing: truncated" })
})

/**
 * The files of an archive of `totalBytes`, in the archive's order; `read(offset, length)` gives its bytes.
 * Every header is checked before anything is returned. Fails as `memberAt` does, and on a member that is
 * there twice or a link that leads outside.
 */
export const listTar = Effect.fnUntraced(function* <E, R>(
  archive: string,
  totalBytes: number,
  read: ReadBytes<E, R>
) {
  const files = new Map<string, TarMember>()
  const links: Array<Link> = []
  let found = yield* memberAt(archive, totalBytes, read, 0)
  while (found !== undefined) {
    const { next, place } = found
    if (place._tag === "Link") links.push(place)
    if (place._tag === "File") {
      if (files.has(place.name)) {
        const reason = "it stands in the archive twice"
        return yield* new ArchiveInvalid({ archive, member: place.name, reason })
      }
      files.set(place.name, place)
    }
    found = yield* memberAt(archive, totalBytes, read, next)
  }
  return yield* resolved(archive, files, links)
})

/** What a pax header (`x`) or a GNU long name (`L`, link `K`) says of the member behind it. */
const extensionOf = (type: string, bytes: Uint8Array): Extension =>
  type === "x"
    ? paxRecords(bytes)
    : new Map([[type === "L" ? "path" : "linkpath", textAt(bytes, 0, bytes.length)]])

type Place =
  | ({ readonly _tag: "File" } & TarMember)
  | ({ readonly _tag: "Link" } & Link)
  | { readonly _tag: "Nothing" }

/** Types (POSIX): 0 and 7 files, 1 hard link, 2 symbolic link, 5 folder, g global pax header. */
const placeOf = (archive: string, header: Header, offset: number): Result.Result<Place, ArchiveInvalid> =>
  Result.gen(function* () {
    const name = yield* insidePath(archive, header.name, header.name, "its name")
    switch (header.type) {
      case "0":
      case "7":
        return { _tag: "File", name, offset, sizeBytes: header.sizeBytes } as const
      case "1":
      case "2":
        return { _tag: "Link", name, target: yield* targetOf(archive, header) } as const
      case "5":
      case "g":
        return { _tag: "Nothing" } as const
      default: {
        const reason = `it is neither file, folder nor link (type "${header.type}")`
        return yield* Result.fail(new ArchiveInvalid({ archive, member: name, reason }))
      }
    }
  })

/** All files of an archive held in memory; the bytes are views of it. */
export const readTar = (
  archive: string,
  bytes: Uint8Array
): Effect.Effect<ReadonlyArray<TarEntry>, ArchiveInvalid> =>
  Effect.map(
    listTar(archive, bytes.length, (offset, length) =>
      Effect.succeed(bytes.subarray(offset, offset + length))
    ),
    (members) =>
      members.map(({ name, offset, sizeBytes }) => ({
        name,
        bytes: bytes.subarray(offset, offset + sizeBytes)
      }))
  )
