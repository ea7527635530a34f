import { promisify } from "node:util"
import { gunzip as nodeGunzip } from "node:zlib"
import { Effect } from "effect"
import { causeText, codeOf, type LocationFailed, locationFailed } from "./LocationFailed.ts"

const inflate = promisify(nodeGunzip)

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b

const reasonOf = (cause: unknown, compressedBytes: number): string => {
  switch (codeOf(cause)) {
    case "Z_BUF_ERROR":
      return `the gzip data end too early after ${compressedBytes} bytes: the file is truncated`
    case "ERR_BUFFER_TOO_LARGE":
      return "the decompressed data are larger than allowed"
    default:
      return `the gzip data are damaged: ${causeText(cause)}`
  }
}

/**
 * Decompresses; bytes that are not gzip pass as they are, since some servers and proxies decompress on the
 * way (the digest decides in the end whether the content is right).
 */
export const gunzip = (bytes: Uint8Array, maxBytes: number): Effect.Effect<Uint8Array, LocationFailed> =>
  isGzip(bytes)
    ? Effect.tryPromise({
        try: () => inflate(bytes, { maxOutputLength: maxBytes }),
        catch: (cause) => locationFailed(reasonOf(cause, bytes.length))
      })
    : Effect.succeed(bytes)
