/** `distillery key new | show | trust | untrust | list` */
import { Effect } from "effect"
import type { KeyId, KeyUnavailable } from "../../lib/storage/Signature.ts"
import { oneLine, type Paint } from "../reporting/paint.ts"
import { table } from "../reporting/table.ts"
import { read } from "../settings.ts"
import { keyPairFrom, newSecret, publicKeyProblem } from "../signing/ed25519.ts"
import { ownKeyCountsIn, type SigningOptions, signingKey, trustedFile } from "../signing/signing.ts"
import { trustKey, untrustKey } from "../signing/trustedFile.ts"
import { countsIn, isScopePattern, readTrustedKeys, type TrustedKey } from "../signing/trustedKeys.ts"
import { makeKeyFile } from "../signing/userKey.ts"
import { errorCode } from "../stores/atomicFiles.ts"
import { UsageError } from "./errors.ts"
import { Output, printJson } from "./Output.ts"

const signingKeyOf = (signing: SigningOptions) =>
  Effect.tryPromise({ try: () => signingKey(signing), catch: (error) => error as KeyUnavailable })

const howToUse = (keyId: KeyId): ReadonlyArray<string> => [
  `Its public key is ${keyId}`,
  "Others let its results count by: npx distillery key trust",
  `  ${keyId} --scope SCOPE --name TEXT`
]

const newFile = (file: string) =>
  Effect.tryPromise({
    try: () => makeKeyFile(file),
    catch: (error) =>
      errorCode(error) === "EEXIST"
        ? new UsageError({
            what: `${file} is there already`,
            fix: "A key is never written over: name another file"
          })
        : new UsageError({
            what: `the key could not be written to ${file}: ${(error as Error).message}`,
            fix: "Name a file in a folder that you may write to, or leave --output out: it is printed then"
          })
  })

export const make = Effect.fn("key.new")(function* (flags: {
  readonly output: string | undefined
  readonly json: boolean
}) {
  const { print, tell } = yield* Output
  if (flags.output !== undefined) {
    const { keyId } = yield* newFile(flags.output)
    const document = { schemaVersion: 1, keyId, file: flags.output }
    yield* flags.json ? printJson(document) : print([keyId])
    return yield* tell([`The secret key is in ${flags.output}`, ...howToUse(keyId)])
  }
  const secret = newSecret()
  const { keyId } = keyPairFrom(secret)!
  yield* flags.json ? printJson({ schemaVersion: 1, keyId, secret }) : print([secret])
  yield* tell([
    "That is the secret key, shown this once: give it to who signs with it, as DISTILLERY_KEY",
    ...howToUse(keyId)
  ])
})

export const show = Effect.fn("key.show")(function* (flags: { readonly json: boolean }) {
  const { print } = yield* Output
  const { signing } = yield* read
  const { keyId } = yield* signingKeyOf(signing)
  yield* flags.json ? printJson({ schemaVersion: 1, keyId, scope: signing.scope }) : print([keyId])
})

const scopesFrom = (words: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, UsageError> => {
  const scopes = [...new Set(words.flatMap((word) => word.split(",")).map((word) => word.trim()))]
  const wrong = scopes.find((scope) => !isScopePattern(scope))
  if (wrong === undefined) return Effect.succeed(scopes)
  return Effect.fail(
    new UsageError({
      what: `--scope: "${wrong}" is no scope`,
      fix: "Scopes are main, pr/<name> and user/<name>; a * at the end stands for all that begin so: pr/*"
    })
  )
}

const namedFrom = (name: string | undefined): Effect.Effect<string, UsageError> => {
  const words = (name ?? "").trim().replaceAll(/\s+/g, " ")
  return /\p{C}/u.test(words)
    ? Effect.fail(new UsageError({ what: "--name holds characters that cannot be printed" }))
    : Effect.succeed(words)
}

const publicKeyFrom = (text: string): Effect.Effect<KeyId, UsageError> => {
  const why = publicKeyProblem(text)
  if (why === undefined) return Effect.succeed(text as KeyId)
  // What may be a secret is not repeated.
  return Effect.fail(
    new UsageError({
      what: "that is no public key",
      why,
      fix: "Its owner sees it by: npx distillery key show"
    })
  )
}

/** A mistake more often than not: one's own results count anyway. */
const refuseOwn = Effect.fnUntraced(function* (signing: SigningOptions, keyId: KeyId) {
  const own = yield* Effect.result(signingKeyOf(signing))
  const isOwn = own._tag === "Success" && own.success.keyId === keyId
  if (!isOwn || signing.scope.startsWith("pr/")) return
  return yield* new UsageError({
    what: "that is your own key",
    why: "What it has signed counts for you anyway, in every scope that you read.",
    fix: "Others let your results count by this command, on their machine"
  })
})

const changed = <A>(file: string, change: () => Promise<A>) =>
  Effect.tryPromise({
    try: change,
    catch: (error) =>
      new UsageError({
        what: `${file} cannot be changed: ${(error as Error).message}`,
        fix: "Make it writable, or let XDG_CONFIG_HOME name another folder"
      })
  })

export const trust = Effect.fn("key.trust")(function* (flags: {
  readonly key: string
  readonly scope: ReadonlyArray<string>
  readonly name: string | undefined
}) {
  const { tell } = yield* Output
  const keyId = yield* publicKeyFrom(flags.key)
  const key: TrustedKey = {
    keyId,
    scopes: yield* scopesFrom(flags.scope),
    name: yield* namedFrom(flags.name)
  }
  const { signing } = yield* read
  yield* refuseOwn(signing, keyId)
  const file = trustedFile(signing)
  const before = yield* changed(file, () => trustKey(file, key))
  const was = before.flatMap(({ scopes }) => scopes).join(",")
  yield* tell([
    `What ${keyId} signs counts in ${key.scopes.join(",")}${was === "" ? "" : ` (before: ${was})`}`,
    ...(signing.trustScopes.some((scope) => countsIn(key, keyId, scope))
      ? []
      : [
          `Nothing is read from there yet: you read ${signing.trustScopes.join(",")} ` +
            "(DISTILLERY_TRUST_SCOPES says from where else)"
        ])
  ])
})

export const untrust = Effect.fn("key.untrust")(function* (flags: { readonly key: string }) {
  const { tell } = yield* Output
  const { signing } = yield* read
  const file = trustedFile(signing)
  const { keys } = readTrustedKeys(file)
  const meant = new Set(
    keys.filter(({ keyId, name }) => keyId === flags.key || name === flags.key).map(({ keyId }) => keyId)
  )
  const [keyId, another] = meant
  if (keyId === undefined || another !== undefined) {
    const here = signing.trustKeys.some((one) => one.keyId === flags.key)
    return yield* new UsageError({
      what: another === undefined ? `no key "${flags.key}" is trusted` : `"${flags.key}" names several keys`,
      fix: here ? "It is trusted by DISTILLERY_TRUST_KEYS: take it out there" : "See: npx distillery key list"
    })
  }
  const before = yield* changed(file, () => untrustKey(file, keyId))
  const was = before.flatMap(({ scopes }) => scopes).join(",")
  yield* tell([`What ${keyId} has signed does not count any more (before: in ${was})`])
})

interface ListedKey {
  readonly keyId: KeyId
  readonly scopes: ReadonlyArray<string>
  readonly name: string
  readonly from: "own" | "file" | "DISTILLERY_TRUST_KEYS"
}

const listed = Effect.fnUntraced(function* (signing: SigningOptions) {
  const own = yield* signingKeyOf(signing)
  const { keys, problem } = readTrustedKeys(trustedFile(signing))
  const scopes = signing.trustScopes.every((scope) => ownKeyCountsIn(signing.scope, scope))
    ? ["*"]
    : [signing.scope]
  const all: ReadonlyArray<ListedKey> = [
    { keyId: own.keyId, scopes, name: "yours", from: "own" },
    ...keys.map((key): ListedKey => ({ ...key, from: "file" })),
    ...signing.trustKeys.map((key): ListedKey => ({ ...key, from: "DISTILLERY_TRUST_KEYS" }))
  ]
  return { all, problem }
})

const listLines = (
  all: ReadonlyArray<ListedKey>,
  { scope, trustScopes }: SigningOptions,
  paint: Paint
): ReadonlyArray<string> => [
  ...table(
    [{ title: "key" }, { title: "counts in" }, { title: "whose" }, { title: "by" }],
    all.map(({ from, keyId, name, scopes }) => [
      keyId,
      scopes.includes("*") ? "all that is read" : scopes.join(","),
      oneLine(name),
      from === "own" ? paint.dim("its secret is here") : paint.dim(from === "file" ? "key trust" : from)
    ]),
    paint
  ),
  "",
  `Results are written into ${scope}, and read from ${trustScopes.join(", then ")}.`
]

export const list = Effect.fn("key.list")(function* (flags: { readonly json: boolean }) {
  const { paint, print, tell } = yield* Output
  const { signing } = yield* read
  const { all, problem } = yield* listed(signing)
  const { scope, trustScopes } = signing
  yield* flags.json
    ? printJson({ schemaVersion: 1, keys: all, writes: scope, reads: trustScopes })
    : print(listLines(all, signing, paint))
  if (problem !== undefined) yield* tell([`${problem}: it counts for nothing`])
})
