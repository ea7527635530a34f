/**
 * Files from far away whose content nobody named beforehand, kept by their address: a small file under the
 * address's hash names the content, which lies in the verified cache like every other.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Option } from "effect"
import { type Digest, type Hasher, hexOf } from "../../lib/storage/Digest.ts"
import { readCached, writeAtomic, writeCached } from "./verified-cache.ts"

const nameOf = (address: string, hasher: Hasher["Service"]): string =>
  `address-${hexOf(hasher.digest(new TextEncoder().encode(address)))}`

/** What the address gave when it was last asked, where the cache has it undamaged. */
export const readByAddress = Effect.fn("readByAddress")(function* (
  folder: string,
  address: string,
  hasher: Hasher["Service"]
) {
  const file = join(folder, nameOf(address, hasher))
  const text = yield* Effect.option(Effect.tryPromise(() => readFile(file, "utf8")))
  const digest = Option.map(text, (line) => line.trim())
  return Option.isSome(digest) && isDigest(digest.value)
    ? yield* readCached(folder, digest.value, hasher)
    : Option.none<Uint8Array>()
})

const isDigest = (text: string): text is Digest => /^sha256:[0-9a-f]{64}$/.test(text)

/** Fails where there is no space or no permission, which a caller may well ignore. */
export const writeByAddress = Effect.fn("writeByAddress")(function* (
  folder: string,
  address: string,
  bytes: Uint8Array,
  hasher: Hasher["Service"]
) {
  const digest = hasher.digest(bytes)
  yield* writeCached(folder, digest, bytes)
  const line = new TextEncoder().encode(`${digest}\n`)
  yield* Effect.tryPromise(() => writeAtomic(folder, nameOf(address, hasher), line))
})
