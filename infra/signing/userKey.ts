/** The user's own key: a file that only they may read, made on first use and never replaced. */
import { readFileSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { KeyUnavailable } from "../../lib/storage/Signature.ts"
import { errorCode, writeAtomically } from "../stores/atomicFiles.ts"
import { makeFolder } from "../stores/makeFolder.ts"
import { type KeyPair, keyPairFrom, newSecret } from "./ed25519.ts"

const label = "distillery-secret-key"

const unavailable = (file: string) => (error: unknown) =>
  error instanceof KeyUnavailable
    ? error
    : new KeyUnavailable({
        file,
        reason:
          `${(error as Error).message}. Let XDG_CONFIG_HOME name a folder that can be written, or ` +
          "DISTILLERY_KEY hold a key"
      })

const parse = (file: string, text: string): KeyPair => {
  const [first, secret = ""] = text.trim().split(" ")
  const pair = first === label ? keyPairFrom(secret) : undefined
  if (pair !== undefined) return pair
  const reason = "it holds no key. Remove it to have a new one made, which has yet to be trusted by others"
  throw new KeyUnavailable({ file, reason })
}

/** Windows has no such bits: what it tells is made up. */
const refuseOpen = (file: string): void => {
  const mode = statSync(file).mode & 0o777
  if (process.platform === "win32" || (mode & 0o077) === 0) return
  const reason =
    `other users may read it (mode ${mode.toString(8)}). Run "chmod 600 ${file}"; if somebody may have ` +
    "read it, remove it instead, and have those who trusted it do so no more (distillery key untrust)"
  throw new KeyUnavailable({ file, reason })
}

/** `undefined` where there is none yet. Throws `KeyUnavailable`. */
export const readKey = (file: string): KeyPair | undefined => {
  try {
    const pair = parse(file, readFileSync(file, "utf8"))
    refuseOpen(file)
    return pair
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error))) return undefined
    throw unavailable(file)(error)
  }
}

/** A new key in a new file. Fails with EEXIST where there is a file, whatever it holds. */
export const makeKeyFile = async (file: string): Promise<KeyPair> => {
  const folder = dirname(file)
  await makeFolder(folder)
  await writeAtomically({
    temporaryFolder: folder,
    target: file,
    bytes: new TextEncoder().encode(`${label} ${newSecret()}\n`),
    onlyIfAbsent: { lockFile: `${file}.lock` },
    mode: 0o600
  })
  return parse(file, readFileSync(file, "utf8"))
}

/** Of processes that come first together one makes the key, and the others read it. */
export const readOrMakeKey = async (file: string): Promise<KeyPair> => {
  const known = readKey(file)
  if (known !== undefined) return known
  try {
    return await makeKeyFile(file).catch((error: unknown) => {
      if (errorCode(error) !== "EEXIST") throw error
      return parse(file, readFileSync(file, "utf8"))
    })
  } catch (error) {
    throw unavailable(file)(error)
  }
}
