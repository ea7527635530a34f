/**
 * A manifest as it is stored: signed, under its scope and job key. The signature covers scope, key and
 * content, so that a manifest counts only where it was written.
 */
import { Effect, Option, Schema } from "effect"
import type { Hasher } from "../storage/Digest.ts"
import { type Digest, hexOf } from "../storage/Digest.ts"
import type { ObjectStore, StoreError } from "../storage/ObjectStore.ts"
import { KeyId, Scope, type Signature, type Verifier } from "../storage/Signature.ts"
import { externalDigests, keyParams } from "./ExternalInputs.ts"
import { artifactDigest, jobKey, preImage } from "./Fingerprint.ts"
import { ifPresent, parseJson } from "./jsonObjects.ts"
import { inputDigests, Manifest } from "./Manifest.ts"

/** Where a manifest stands. */
export interface ManifestPlace {
  readonly scope: Scope
  readonly key: Digest
}

export const manifestsFolder = "manifests/"

/** A hundred times what the largest of ours take: what is larger is neither read nor published. */
export const manifestBytesMax = 8 * 2 ** 20

/** `manifests/<scope>/ab/<the other 62 digits>.json` */
export const manifestKey = ({ key, scope }: ManifestPlace): string => {
  const hex = hexOf(key)
  return `${manifestsFolder}${scope}/${hex.slice(0, 2)}/${hex.slice(2)}.json`
}

const decodeScope = Schema.decodeUnknownOption(Scope)

/** From an object's key back to the place; `undefined` where the object is no manifest. */
export const manifestPlaceOf = (objectKey: string): ManifestPlace | undefined => {
  const [, text, start, rest] = /^manifests\/(.+)\/([0-9a-f]{2})\/([0-9a-f]{62})\.json$/.exec(objectKey) ?? []
  const scope = Option.getOrUndefined(decodeScope(text))
  return scope && { scope, key: `sha256:${start}${rest}` as Digest }
}

/** What is signed. Throws `NotCanonical`. */
export const manifestMessage = ({ key, scope }: ManifestPlace, payload: Schema.Json): string =>
  preImage("manifest/1", { scope, key, payload })

/** As it lies in the store. `payload` is kept as it was signed, whatever a newer version adds to it. */
const Envelope = Schema.Struct({
  schemaVersion: Schema.Literal(1),
  scope: Scope,
  keyId: KeyId,
  signature: Schema.String,
  payload: Schema.Json
})

const decodeEnvelope = Schema.decodeUnknownOption(Envelope)
const decodeManifest = Schema.decodeUnknownOption(Manifest)

/** Indented, for people who look into the store. */
export const envelopeBytes = (scope: Scope, signature: Signature, payload: Schema.Json): Uint8Array => {
  const envelope: typeof Envelope.Type = { schemaVersion: 1, scope, ...signature, payload }
  return new TextEncoder().encode(`${JSON.stringify(envelope, null, 1)}\n`)
}

export type Opened =
  | { readonly _tag: "Sound"; readonly manifest: Manifest; readonly keyId: KeyId }
  | { readonly _tag: "Refused"; readonly reason: string }

export interface OpeningServices {
  readonly hasher: Hasher["Service"]
  readonly verifier: Verifier["Service"]
}

const refused = (reason: string): Opened => ({ _tag: "Refused", reason })

const tooLarge = refused("its manifest is too large")

const isUnsigned = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "jobKey" in value && !("signature" in value)

/** Says what it is not true to: who signed it, where it stands, and the digests that it states. */
export const openManifest = (
  bytes: Uint8Array,
  place: ManifestPlace,
  { hasher, verifier }: OpeningServices
): Opened => {
  const value = Option.getOrUndefined(parseJson(bytes))
  const envelope = Option.getOrUndefined(decodeEnvelope(value))
  if (envelope === undefined) {
    return refused(isUnsigned(value) ? "its manifest is not signed" : "its manifest is unreadable")
  }
  const { keyId, payload, scope } = envelope
  if (scope !== place.scope) return refused(`its manifest was signed for scope ${scope}, not ${place.scope}`)
  if (!verifier.trusts(keyId, scope)) {
    return refused(
      `its manifest is signed by a key that is not trusted; ${verifier.howToTrust(keyId, scope)}`
    )
  }
  const manifest = Option.getOrUndefined(decodeManifest(payload))
  if (manifest !== undefined && manifest.jobKey !== place.key) {
    return refused("its manifest belongs to another job")
  }
  if (!verifier.signed(envelope, manifestMessage(place, payload))) {
    return refused("its manifest was changed after it was signed")
  }
  if (manifest === undefined) return refused("its manifest is unreadable")
  const untrue = untruth(hasher, manifest)
  return untrue === undefined ? { _tag: "Sound", manifest, keyId } : refused(untrue)
}

/** What stands there, and what it is; `None` where nothing does. One that is too large is not read. */
export const readManifest = (
  store: Pick<ObjectStore["Service"], "get">,
  place: ManifestPlace,
  services: OpeningServices
): Effect.Effect<Option.Option<{ readonly bytes: Uint8Array; readonly opened: Opened }>, StoreError> =>
  store.get(manifestKey(place), manifestBytesMax).pipe(
    Effect.map((bytes) => ({ bytes, opened: openManifest(bytes, place, services) })),
    Effect.catchTag("ObjectTooLarge", () => Effect.succeed({ bytes: new Uint8Array(0), opened: tooLarge })),
    ifPresent
  )

/** The key of a job that is what the manifest states. */
export const statedKey = (hasher: Hasher["Service"], manifest: Manifest): Digest => {
  const { code, externals = {}, inputs, params, stage } = manifest
  return jobKey(hasher, {
    stage,
    code: code.digest,
    params: keyParams(params, externals),
    inputs: inputDigests(inputs),
    externals: externalDigests(externals)
  })
}

/** Of a manifest that somebody trusted has signed all the same. */
const untruth = (hasher: Hasher["Service"], manifest: Manifest): string | undefined => {
  const { jobKey: key, output } = manifest
  if (statedKey(hasher, manifest) !== key) {
    return "its manifest states another stage, code, params or inputs than its key"
  }
  if (artifactDigest(hasher, output.type, output.value) === output.digest) return undefined
  return "its manifest was changed: the output does not have the digest it states"
}
