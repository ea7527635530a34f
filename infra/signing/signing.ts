/** `Signer` and `Verifier` of this process: the user's key, and the keys and scopes that the user trusts. */
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import {
  type KeyId,
  KeyUnavailable,
  mainScope,
  type Scope,
  Signer,
  Verifier
} from "../../lib/storage/Signature.ts"
import { isSigned, type KeyPair, keyPairFrom, newSecret } from "./ed25519.ts"
import { matches, readTrustedKeys, type TrustedKey } from "./trustedKeys.ts"
import { readKey, readOrMakeKey } from "./userKey.ts"

export interface SigningOptions {
  /** Holds the files `key` and `trusted`. */
  readonly folder: string
  /** The secret key itself, in place of the file: for build servers, which have it from a secret. */
  readonly secret: string | undefined
  readonly scope: Scope
  /** Where to look, in this order. */
  readonly trustScopes: ReadonlyArray<Scope>
  /** Keys that count in each of those scopes, besides those of the file. */
  readonly trustKeys: ReadonlyArray<KeyId>
}

const secretKey = (secret: string): KeyPair => {
  const pair = keyPairFrom(secret)
  if (pair !== undefined) return pair
  throw new KeyUnavailable({ file: "DISTILLERY_KEY", reason: "it is no key, which has 43 characters" })
}

const makeSigner = ({ folder, scope, secret }: SigningOptions): Signer["Service"] => {
  const load = async () =>
    secret === undefined ? await readOrMakeKey(join(folder, "key")) : secretKey(secret)
  let known: Promise<KeyPair> | undefined
  const pair = Effect.tryPromise({
    try: () => (known ??= load()),
    catch: (error) => {
      known = undefined
      return error as KeyUnavailable
    }
  })
  return {
    scope,
    sign: (message) => Effect.map(pair, (key) => key.sign(message)),
    ready: Effect.asVoid(pair)
  }
}

/** The key may be made later in this life; one that cannot be read vouches for nothing. */
const ownKey = ({ folder, secret }: SigningOptions): KeyId | undefined => {
  try {
    return (secret === undefined ? readKey(join(folder, "key")) : secretKey(secret))?.keyId
  } catch {
    return undefined
  }
}

const makeVerifier = (options: SigningOptions): Verifier["Service"] => {
  const { folder, trustKeys, trustScopes } = options
  const file = join(folder, "trusted")
  let own: KeyId | undefined
  let trusted: ReturnType<typeof readTrustedKeys> | undefined
  const keysOf = () => (trusted ??= readTrustedKeys(file))
  const counts = ({ keyId: one, scopes }: TrustedKey, keyId: KeyId, scope: Scope) =>
    one === keyId && scopes.some((pattern) => matches(pattern, scope))
  return {
    scopes: trustScopes,
    trusts: (keyId, scope) => {
      own ??= ownKey(options)
      if (keyId === own || trustKeys.includes(keyId)) return true
      return keysOf().keys.some((one) => counts(one, keyId, scope))
    },
    signed: isSigned,
    howToTrust: (keyId, scope) => {
      const { problem } = keysOf()
      const hint = problem === undefined ? "" : ` (${problem})`
      return `to trust it, add the line "${keyId} ${scope}" to ${file}${hint}`
    }
  }
}

export const signingLayer = (options: SigningOptions): Layer.Layer<Signer | Verifier> =>
  Layer.effectContext(
    Effect.sync(() =>
      Context.make(Signer, makeSigner(options)).pipe(Context.add(Verifier, makeVerifier(options)))
    )
  )

const passingSecret = newSecret()

/** With a key that ends with this process: for stores that end with it, too. */
export const passingSigningLayer = signingLayer({
  folder: "/dev/null",
  secret: passingSecret,
  scope: mainScope,
  trustScopes: [mainScope],
  trustKeys: []
})
