/** Files fetched from far away, kept by their digest; a file is verified whenever it is read. */
import { randomBytes } from "node:crypto"
import { open, readFile, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Option } from "effect"
import { type Digest, type Hasher, hexOf } from "../../lib/storage/Digest.ts"
import { makeFolder } from "../stores/makeFolder.ts"

/** The bytes, where the cache has them undamaged; a damaged file is removed. */
export const readCached = Effect.fn("readCached")(function* (
  folder: string,
  digest: Digest,
  hasher: Hasher["Service"]
) {
  const file = join(folder, hexOf(digest))
  const bytes = yield* Effect.option(Effect.tryPromise(() => readFile(file)))
  if (Option.isNone(bytes) || hasher.digest(bytes.value) === digest) return bytes
  yield* Effect.ignore(Effect.tryPromise(() => rm(file, { force: true })))
  return Option.none()
})

/** A reader sees the whole file or none. */
export const writeAtomic = async (folder: string, name: string, bytes: Uint8Array): Promise<void> => {
  await makeFolder(folder)
  const temporary = join(folder, `.${name}.${randomBytes(6).toString("hex")}`)
  try {
    const handle = await open(temporary, "wx")
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, join(folder, name))
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Keeps verified bytes; fails where there is no space or no permission, which a caller may well ignore. */
export const writeCached = (folder: string, digest: Digest, bytes: Uint8Array) =>
  Effect.tryPromise(() => writeAtomic(folder, hexOf(digest), bytes))
