/** The record of one finished job: what it was made from, by what code, and what came out. Written last. */
import { Schema } from "effect"
import { BlobRef } from "../storage/BlobStore.ts"
import { Digest } from "../storage/Digest.ts"
import { CodeIdentity } from "./CodeClosure.ts"
import { ExternalRecord } from "./ExternalInputs.ts"
import type { InputDigests } from "./Fingerprint.ts"

/** An artifact that was read: its content, and the job that made it (lineage; not part of any key). */
export const InputRecord = Schema.Struct({ digest: Digest, jobKey: Digest })
export type InputRecord = typeof InputRecord.Type

const Inputs = Schema.Record(
  Schema.String,
  Schema.Union([
    Schema.TaggedStruct("One", { artifact: InputRecord }),
    Schema.TaggedStruct("Many", { artifacts: Schema.Record(Schema.String, InputRecord) })
  ])
)
export type ManifestInputs = typeof Inputs.Type

const JsonObject = Schema.Record(Schema.String, Schema.Json)

export const Manifest = Schema.Struct({
  schemaVersion: Schema.Literal(2),
  jobKey: Digest,
  pipeline: Schema.String,
  job: Schema.String,
  stage: Schema.String,
  params: JsonObject,
  inputs: Inputs,
  /** What was read from outside the store. */
  externals: Schema.optionalKey(Schema.Record(Schema.String, ExternalRecord)),
  code: CodeIdentity,
  output: Schema.Struct({ type: Schema.String, digest: Digest, value: Schema.Json }),
  /** When, how long, where, by which backend: outside the key. */
  provenance: JsonObject
})
export type Manifest = typeof Manifest.Type

/** The content digests that entered the key. */
export const inputDigests = (inputs: ManifestInputs): InputDigests =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, input]) => [
      name,
      input._tag === "One"
        ? input.artifact.digest
        : Object.fromEntries(Object.entries(input.artifacts).map(([key, one]) => [key, one.digest]))
    ])
  )

const isBlobRef = Schema.is(BlobRef)

/** The blobs an encoded artifact points to, each once: every object in it that is a `BlobRef`. */
export const blobsOf = (value: Schema.Json): ReadonlyArray<BlobRef> => {
  const found = new Map<string, BlobRef>()
  const visit = (node: Schema.Json): void => {
    if (typeof node !== "object" || node === null) return
    if ("blob" in node && isBlobRef(node)) found.set(node.blob, node)
    else for (const inner of Object.values(node)) visit(inner)
  }
  visit(value)
  return [...found.values()]
}
