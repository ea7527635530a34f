/**
 * Whose results count besides the user's own. In the file `trusted` beside the user's key a line is a key,
 * the scopes in which it counts, and whatever helps to remember whose it is; in `DISTILLERY_TRUST_KEYS` a
 * scope follows an `@`, and without it the key counts in all that are read:
 *
 *     ed25519:hd4…  main,pr/*  the build server
 *     DISTILLERY_TRUST_KEYS=ed25519:hd4…@main,ed25519:x0s…@pr/*
 */
import { readFileSync } from "node:fs"
import type { KeyId, Scope } from "../../lib/storage/Signature.ts"
import { errorCode } from "../stores/atomicFiles.ts"

export interface TrustedKey {
  readonly keyId: KeyId
  /** Scopes by name, or all that begin like one that ends in `*`. */
  readonly scopes: ReadonlyArray<string>
  /** Whose it is, in the user's words; empty where nothing was said. */
  readonly name: string
}

export interface TrustedKeys {
  readonly keys: ReadonlyArray<TrustedKey>
  /** The first line that is none, for messages. */
  readonly problem?: string
}

const isKey = (text: string): boolean => /^ed25519:[A-Za-z0-9_-]{43}$/.test(text)

/** `main`, `pr/7`, `pr/*`, `user/ann`, `*`: the same characters that a scope may have. */
export const isScopePattern = (text: string): boolean =>
  /^(\*|main|(pr|user)\/([A-Za-z0-9_=-][A-Za-z0-9._=-]{0,99}\*?|\*))$/.test(text)

const isScopes = (text: string): boolean => text.split(",").every(isScopePattern)

const matches = (pattern: string, scope: Scope): boolean =>
  pattern.endsWith("*") ? scope.startsWith(pattern.slice(0, -1)) : scope === pattern

/** Whether what `keyId` signed counts in this scope, as far as `trusted` goes. */
export const countsIn = (trusted: TrustedKey, keyId: KeyId, scope: Scope): boolean =>
  trusted.keyId === keyId && trusted.scopes.some((pattern) => matches(pattern, scope))

/** One line of the file; `undefined` for one that is none, `"nothing"` for a blank one or a remark. */
export const parseTrustedLine = (line: string): TrustedKey | "nothing" | undefined => {
  const [keyId = "", scopes = "", ...name] = line.trim().split(/\s+/)
  if (keyId === "" || keyId.startsWith("#")) return "nothing"
  if (!isKey(keyId) || !isScopes(scopes)) return undefined
  return { keyId: keyId as KeyId, scopes: scopes.split(","), name: name.join(" ") }
}

export const trustedLine = ({ keyId, name, scopes }: TrustedKey): string =>
  [keyId, scopes.join(","), ...(name === "" ? [] : [name])].join("  ")

/** Of `DISTILLERY_TRUST_KEYS`: `KEY` or `KEY@SCOPE`; one key may stand there for several scopes. */
export const trustedKeyFrom = (word: string): TrustedKey | undefined => {
  const [keyId = "", scope = "*", ...more] = word.split("@")
  if (!isKey(keyId) || !isScopePattern(scope) || more.length > 0) return undefined
  return { keyId: keyId as KeyId, scopes: [scope], name: "" }
}

/** Blank lines and those that begin with `#` say nothing. */
export const parseTrustedKeys = (text: string, file: string): TrustedKeys => {
  const keys: Array<TrustedKey> = []
  let problem: string | undefined
  for (const [index, line] of text.split("\n").entries()) {
    const parsed = parseTrustedLine(line)
    if (parsed === undefined) problem ??= `line ${index + 1} of ${file} is no key followed by scopes`
    else if (parsed !== "nothing") keys.push(parsed)
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
