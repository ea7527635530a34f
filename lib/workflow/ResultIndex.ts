/**
 * The batched record of a pipeline's results: its manifests, and what each object looked like when it was
 * verified. While objects look the same, a hit is answered from here, and nothing is opened or verified anew.
 *
 * `index/<scope>/<pipeline>.json` is two lines: a signature, and what it was made for. It is a cache: whoever
 * does not trust its signer, or finds an object changed, goes back to the objects themselves.
 */
import { Option, Schema } from "effect"
import type { Digest } from "../storage/Digest.ts"
import { jsonValue } from "../storage/jsonValue.ts"
import { type KeyId, type Scope, Signature, type Verifier } from "../storage/Signature.ts"
import type { CodeIdentity } from "./CodeClosure.ts"
import type { Manifest } from "./Manifest.ts"
import { type Seen, type SeenByPlace, scopeIn } from "./SeenResults.ts"

export interface KnownManifest {
  readonly scope: Scope
  /** Who signed the manifest. */
  readonly keyId: KeyId
  /** Of the manifest's object; absent where it could not be told. */
  readonly stamp: string | undefined
  readonly manifest: Manifest
}

export interface ResultIndex {
  /** By job key, the latest last. */
  readonly manifests: ReadonlyMap<Digest, KnownManifest>
  /** Stamps of verified blobs. */
  readonly blobs: ReadonlyMap<Digest, string>
  /** Stamps of blobs whose bytes were found to be others: while they look so, their results are misses. */
  readonly damaged: ReadonlyMap<Digest, string>
  /** Where an earlier result was found in the place of a later one: what was seen of that. */
  readonly replaced: SeenByPlace
}

/** Twice what that of three thousand results takes. What is larger says nothing, and is not written. */
export const indexBytesMax = 64 * 2 ** 20

export const indexKey = (scope: Scope, pipeline: string): string => `index/${scope}/${pipeline}.json`

/** What is signed for this text, in this place. */
const message = (scope: Scope, pipeline: string, text: string): string =>
  `index/1\n${scope}\n${pipeline}\n${text}`

/** Code is the same in many manifests of a pipeline, and is written once. */
interface Written {
  readonly schemaVersion: 1
  readonly codes: { readonly [digest: string]: CodeIdentity }
  readonly manifests: ReadonlyArray<
    Omit<KnownManifest, "manifest"> & { readonly manifest: Omit<Manifest, "code">; readonly code: Digest }
  >
  readonly blobs: { readonly [digest: string]: string }
  readonly damaged?: { readonly [digest: string]: string }
  readonly replaced?: { readonly [place: string]: Seen }
}

const stampsIn = (written: { readonly [digest: string]: string }): ReadonlyMap<Digest, string> =>
  new Map(Object.entries(written).map(([digest, stamp]) => [digest as Digest, stamp]))

export const indexText = ({ blobs, damaged, manifests, replaced }: ResultIndex): string => {
  const codes: Record<string, CodeIdentity> = {}
  const written = [...manifests.values()].map(({ keyId, manifest, scope, stamp }) => {
    const { code, ...rest } = manifest
    codes[code.digest] = code
    return { scope, keyId, stamp, code: code.digest, manifest: rest }
  })
  const record: Written = {
    schemaVersion: 1,
    codes,
    manifests: written,
    blobs: Object.fromEntries(blobs),
    ...(damaged.size > 0 && { damaged: Object.fromEntries(damaged) }),
    ...(replaced.size > 0 && { replaced: Object.fromEntries(replaced) })
  }
  return JSON.stringify(record)
}

export const indexMessage = message

export const indexBytes = (signature: Signature, text: string): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(signature)}\n${text}\n`)

const decodeSignature = Schema.decodeUnknownOption(Schema.fromJsonString(Signature))

/** `undefined` for what is damaged, of another version, or not signed by somebody trusted. */
export const readIndex = (
  bytes: Uint8Array,
  { pipeline, scope }: { readonly pipeline: string; readonly scope: Scope },
  verifier: Verifier["Service"]
): ResultIndex | undefined => {
  const [first = "", text = ""] = new TextDecoder().decode(bytes).split("\n")
  const signature = Option.getOrUndefined(decodeSignature(first))
  if (signature === undefined || !verifier.trusts(signature.keyId, scope)) return undefined
  if (!verifier.signed(signature, message(scope, pipeline, text))) return undefined
  // Not decoded by a schema: it is our own word, and a thousand manifests would take longer than the rest.
  const { blobs, codes, damaged = {}, manifests, replaced = {}, schemaVersion } = jsonValue(text) as Written
  if (schemaVersion !== 1) return undefined
  const believed = manifests.filter(
    (one) => verifier.trusts(one.keyId, one.scope) && verifier.trusts(signature.keyId, one.scope)
  )
  return {
    manifests: new Map(
      believed.map(({ code, manifest, ...known }) => {
        const whole = { ...manifest, code: codes[code]! }
        return [manifest.jobKey, { ...known, manifest: whole }]
      })
    ),
    blobs: stampsIn(blobs),
    damaged: stampsIn(damaged),
    // A signer is believed for the scopes in which it may publish.
    replaced: new Map(
      Object.entries(replaced).filter(([at]) => verifier.trusts(signature.keyId, scopeIn(at)))
    )
  }
}
