/**
 * What lies unpacked in the user's cache, and the record that says what it has to be. Sizes are compared
 * whenever a library is looked for, contents when somebody asks.
 */
import { createHash } from "node:crypto"
import { createReadStream, readFileSync, statSync } from "node:fs"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { pipeline } from "node:stream/promises"
import type { Release } from "./releases.ts"
import type { UnpackedFile } from "./wheel.ts"

const RECORD = "installed.json"

export const libraryRoot = (cacheDirectory: string): string => path.join(cacheDirectory, "tensorflow")

/** Where a fetched release lies; the folder appears only once it is complete. */
export const releaseFolder = (cacheDirectory: string, { folder }: Release): string =>
  path.join(libraryRoot(cacheDirectory), folder)

/** Written last into a folder of unpacked files. */
export const writeRecord = (folder: string, files: ReadonlyArray<UnpackedFile>): Promise<void> =>
  fs.writeFile(path.join(folder, RECORD), JSON.stringify({ files }, null, 2))

export type Installed =
  | { readonly state: "absent" }
  | { readonly state: "damaged"; readonly reason: string }
  | { readonly state: "whole"; readonly sizeBytes: number; readonly files: ReadonlyArray<UnpackedFile> }

/** Compares the sizes with the record, which finds what was cut off or lost, in well under a millisecond. */
export const lookAt = (folder: string): Installed => {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return { state: "absent" }
  const files = recordIn(folder)
  if (files === undefined) return damaged(`${path.join(folder, RECORD)} is missing or unreadable`)
  for (const file of files) {
    const size = statSync(path.join(folder, file.path), { throwIfNoEntry: false })?.size
    if (size === file.sizeBytes) continue
    const found = size === undefined ? "is missing" : `has ${size} bytes instead of ${file.sizeBytes}`
    return damaged(`${path.join(folder, file.path)} ${found}`)
  }
  return { state: "whole", sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), files }
}

/** Reads every file as well: about a second for a gigabyte. */
export const verify = async (folder: string): Promise<Installed> => {
  const found = lookAt(folder)
  if (found.state !== "whole") return found
  for (const file of found.files) {
    const target = path.join(folder, file.path)
    if ((await digestOf(target)) !== file.sha256) return damaged(`${target} has changed since it was fetched`)
  }
  return found
}

/** SHA-256 of a file's content. */
export const digestOf = async (file: string): Promise<string> => {
  const hash = createHash("sha256")
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash)
  return hash.digest("hex")
}

const damaged = (reason: string): Installed => ({ state: "damaged", reason })

const recordIn = (folder: string): ReadonlyArray<UnpackedFile> | undefined => {
  try {
    const { files } = JSON.parse(readFileSync(path.join(folder, RECORD), "utf8")) as {
      files: ReadonlyArray<UnpackedFile>
    }
    return files.length > 0 ? files : undefined
  } catch {
    return undefined
  }
}
