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
import { countsIn, readTrustedKeys, type TrustedKey } from "./trustedKeys.ts"
import { readKey, readOrMakeKey } from "./userKey.ts"

export interface SigningOptions {
  /** Holds the files `key` and `trusted`. */
  readonly folder: string
  /** The secret key itself, in place of the file: for build servers, which have it from a secret. */
  readonly secret: string | undefined
  readonly scope: Scope
  /** Where to look, in this order. */
  readonly trustScopes: ReadonlyArray<Scope>
  /** Keys that count besides those of the file. */
  readonly trustKeys: ReadonlyArray<TrustedKey>
}

export const keyFile = ({ folder }: SigningOptions): string => join(folder, "key")
export const trustedFile = ({ folder }: SigningOptions): string => join(folder, "trusted")

const secretKey = (secret: string): KeyPair => {
  const pair = keyPairFrom(secret.trim())
  if (pair !== undefined) return pair
  const reason = secret.trim().startsWith("ed25519:")
    ? "it is a public key; the secret one is what `distillery key new` printed beside it"
    : "it is no key, which has 43 characters; `distillery key new` makes one"
  throw new KeyUnavailable({ file: "DISTILLERY_KEY", reason })
}

/** The key that results are signed with; a user's first one is made. Throws `KeyUnavailable`. */
export const signingKey = async (options: SigningOptions): Promise<KeyPair> =>
  options.secret === undefined ? await readOrMakeKey(keyFile(options)) : secretKey(options.secret)

const makeSigner = (options: SigningOptions): Signer["Service"] => {
  let known: Promise<KeyPair> | undefined
  const pair = Effect.tryPromise({
    try: () => (known ??= signingKey(options)),
    catch: (error) => {
      known = undefined
      return error as KeyUnavailable
    }
  })
  return {
    scope: options.scope,
    sign: (message) => Effect.map(pair, (key) => key.sign(message)),
    ready: Effect.asVoid(pair)
  }
}

/** Where what a reader's own key signed counts: a key given to pull requests is in many hands. */
export const ownKeyCountsIn = (own: Scope, scope: Scope): boolean => scope === own || !own.startsWith("pr/")

interface OwnKey {
  readonly keyId?: KeyId
  /** Why it vouches for nothing. */
  readonly problem?: string
}

/** The key may be made later in this life. */
const ownKey = (options: SigningOptions): OwnKey => {
  try {
    const pair = options.secret === undefined ? readKey(keyFile(options)) : secretKey(options.secret)
    return pair === undefined ? {} : { keyId: pair.keyId }
  } catch (error) {
    return { problem: (error as KeyUnavailable).message }
  }
}

const makeVerifier = (options: SigningOptions): Verifier["Service"] => {
  const { scope: ownScope, trustKeys, trustScopes } = options
  const file = trustedFile(options)
  let own: OwnKey = {}
  let trusted: ReturnType<typeof readTrustedKeys> | undefined
  const keysOf = () => (trusted ??= readTrustedKeys(file))
  return {
    scopes: trustScopes,
    trusts: (keyId, scope) => {
      if (own.keyId === undefined) own = ownKey(options)
      if (keyId === own.keyId && ownKeyCountsIn(ownScope, scope)) return true
      return [...trustKeys, ...keysOf().keys].some((one) => countsIn(one, keyId, scope))
    },
    signed: isSigned,
    howToTrust: (keyId, scope) => {
      const problem = own.problem ?? keysOf().problem
      const hint = problem === undefined ? "" : ` (${problem})`
      return `to trust it: npx distillery key trust ${keyId} --scope ${scope}${hint}`
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
