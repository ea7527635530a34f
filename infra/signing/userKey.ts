/** The user's own key: a file that only they may read, made on first use and never replaced. */
import { readFileSync } from "node:fs"
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

/** `undefined` where there is none yet. Throws `KeyUnavailable`. */
export const readKey = (file: string): KeyPair | undefined => {
  try {
    return parse(file, readFileSync(file, "utf8"))
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error))) return undefined
    throw unavailable(file)(error)
  }
}

/** Of processes that come first together one makes the key, and the others read it. */
export const readOrMakeKey = async (file: string): Promise<KeyPair> => {
  const known = readKey(file)
  if (known !== undefined) return known
  const folder = dirname(file)
  try {
    await makeFolder(folder)
    await writeAtomically({
      temporaryFolder: folder,
      target: file,
      bytes: new TextEncoder().encode(`${label} ${newSecret()}\n`),
      onlyIfAbsent: { lockFile: `${file}.lock` },
      mode: 0o600
    }).catch((error: unknown) => {
      if (errorCode(error) !== "EEXIST") throw error
    })
    return parse(file, readFileSync(file, "utf8"))
  } catch (error) {
    throw unavailable(file)(error)
  }
}
