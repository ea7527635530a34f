/**
 * The file `trusted` beside the user's key: whose results count besides the user's own. A line is a key, the
 * scopes in which it counts, and whatever helps to remember whose it is:
 *
 *     ed25519:hd4…  main,pr/*  the build server
 */
import { readFileSync } from "node:fs"
import type { KeyId, Scope } from "../../lib/storage/Signature.ts"
import { errorCode } from "../stores/atomicFiles.ts"

export interface TrustedKey {
  readonly keyId: KeyId
  /** Scopes by name, or all that begin like one that ends in `*`. */
  readonly scopes: ReadonlyArray<string>
}

export interface TrustedKeys {
  readonly keys: ReadonlyArray<TrustedKey>
  /** The first line that is none, for messages. */
  readonly problem?: string
}

const isKey = (text: string): boolean => /^ed25519:[A-Za-z0-9_-]{43}$/.test(text)
const isScopes = (text: string): boolean =>
  text.split(",").every((one) => /^(\*|main|(pr|user)\/([A-Za-z0-9._=-]+\*?|\*))$/.test(one))

export const matches = (pattern: string, scope: Scope): boolean =>
  pattern.endsWith("*") ? scope.startsWith(pattern.slice(0, -1)) : scope === pattern

/** Blank lines and those that begin with `#` say nothing. */
export const parseTrustedKeys = (text: string, file: string): TrustedKeys => {
  const keys: Array<TrustedKey> = []
  let problem: string | undefined
  for (const [index, line] of text.split("\n").entries()) {
    const [keyId = "", scopes = ""] = line.trim().split(/\s+/)
    if (keyId === "" || keyId.startsWith("#")) continue
    if (isKey(keyId) && isScopes(scopes)) keys.push({ keyId: keyId as KeyId, scopes: scopes.split(",") })
    else problem ??= `line ${index + 1} of ${file} is no key followed by scopes`
  }
  return { keys, ...(problem !== undefined && { problem }) }
}

/** An absent file trusts nobody. */
export const readTrustedKeys = (file: string): TrustedKeys => {
  try {
    return parseTrustedKeys(readFileSync(file, "utf8"), file)
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error))) return { keys: [] }
    return { keys: [], problem: `${file} cannot be read: ${(error as Error).message}` }
  }
}
