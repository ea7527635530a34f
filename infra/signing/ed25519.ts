/** Ed25519 by Node's own cryptography. A secret key is 32 random bytes, written as 43 of base64url. */
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from "node:crypto"
import type { KeyId, Signature } from "../../lib/storage/Signature.ts"

export interface KeyPair {
  readonly keyId: KeyId
  readonly sign: (message: string) => Signature
}

/** Never one that a command line takes for a flag, and would show in its complaint. */
export const newSecret = (): string => {
  const secret = randomBytes(32).toString("base64url")
  return secret.startsWith("-") ? newSecret() : secret
}

const prefix = "ed25519:"

/** What stands before the 32 bytes in PKCS #8 (RFC 8410). */
const pkcs8Head = Buffer.from("302e020100300506032b657004220420", "hex")

/** `undefined` where the text is no secret key. */
export const keyPairFrom = (secret: string): KeyPair | undefined => {
  if (!/^[A-Za-z0-9_-]{43}$/.test(secret)) return undefined
  const der = Buffer.concat([pkcs8Head, Buffer.from(secret, "base64url")])
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" })
  const { x } = createPublicKey(privateKey).export({ format: "jwk" })
  const keyId = `${prefix}${x}` as KeyId
  return {
    keyId,
    sign: (message) => ({
      keyId,
      signature: sign(null, Buffer.from(message), privateKey).toString("base64url")
    })
  }
}

const publicKeys = new Map<KeyId, KeyObject>()

const publicKeyOf = (keyId: KeyId): KeyObject => {
  const known = publicKeys.get(keyId)
  if (known !== undefined) return known
  const jwk = { kty: "OKP", crv: "Ed25519", x: keyId.slice(prefix.length) }
  const made = createPublicKey({ key: jwk, format: "jwk" })
  publicKeys.set(keyId, made)
  return made
}

/** Whether the key signed exactly this message; not for keys and signatures that are malformed. */
export const isSigned = ({ keyId, signature }: Signature, message: string): boolean => {
  try {
    return verify(null, Buffer.from(message), publicKeyOf(keyId), Buffer.from(signature, "base64url"))
  } catch {
    return false
  }
}

/**
 * Why the text is no public key to trust; `undefined` where it is one. Refused are also secrets, and
 * other spellings of a key.
 */
export const publicKeyProblem = (text: string): string | undefined => {
  if (keyPairFrom(text) !== undefined) {
    return "it may be a secret key, which nobody else should have; a public one begins with ed25519:"
  }
  if (!/^ed25519:[A-Za-z0-9_-]{43}$/.test(text)) return "a key is ed25519: and 43 of A-Z a-z 0-9 _ -"
  const bytes = text.slice(prefix.length)
  if (Buffer.from(bytes, "base64url").toString("base64url") !== bytes) {
    return "it is another spelling of a key, in which its results would not be known"
  }
  return undefined
}
