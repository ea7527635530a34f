/**
 * Results that are made and could not be published, their store being away: signed manifests, kept on this
 * machine until the next run publishes them. Their blobs are in the store already.
 */
import { Context, Effect, Option, Schema } from "effect"
import { BlobStore } from "../storage/BlobStore.ts"
import { Hasher } from "../storage/Digest.ts"
import type { StoreUnavailable } from "../storage/ObjectStore.ts"
import { Verifier } from "../storage/Signature.ts"
import { blobsOf } from "./Manifest.ts"
import { type ManifestPlace, openManifest } from "./SignedManifest.ts"

/** Where they are kept. A store on this machine is as near: for that, nothing is kept. */
export const UnpublishedFiles = Context.Reference<{
  /** Whether it is kept now. */
  readonly keep: (place: ManifestPlace, bytes: Uint8Array) => Effect.Effect<boolean>
  readonly find: (place: ManifestPlace) => Effect.Effect<Option.Option<Uint8Array>>
  readonly forget: (place: ManifestPlace) => Effect.Effect<void>
}>("lib/workflow/UnpublishedFiles", {
  defaultValue: () => ({
    keep: () => Effect.succeed(false),
    find: () => Effect.succeedNone,
    forget: () => Effect.void
  })
})

/** The store was away for longer than it is waited for. */
export class ResultUnpublished extends Schema.TaggedError<ResultUnpublished>()("ResultUnpublished", {
  jobName: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return (
      `The result of job "${this.jobName}" is made, but was not published. ${this.reason} ` +
      "It is kept on this machine, under .distillery/unpublished: the next run from this folder publishes it."
    )
  }
}

/** Publishes with a copy kept meanwhile: whatever ends this process, the result is not lost. */
export const keptWhile = <A, E, R>(
  {
    bytes,
    jobName,
    place
  }: { readonly bytes: Uint8Array; readonly jobName: string; readonly place: ManifestPlace },
  publishing: Effect.Effect<A, E | StoreUnavailable, R>
): Effect.Effect<A, E | StoreUnavailable | ResultUnpublished, R> =>
  Effect.gen(function* () {
    const files = yield* UnpublishedFiles
    const isKept = yield* files.keep(place, bytes)
    const published = yield* Effect.mapError(publishing, (error) => {
      const { _tag, message } = error as StoreUnavailable
      return isKept && _tag === "StoreUnavailable"
        ? new ResultUnpublished({ jobName, reason: message })
        : error
    })
    if (isKept) yield* files.forget(place)
    return published
  })

/** What was kept under a key, if it is sound and its blobs are there. */
export const findUnpublished = Effect.fn("findUnpublished")(function* (place: ManifestPlace) {
  const bytes = yield* (yield* UnpublishedFiles).find(place)
  if (Option.isNone(bytes)) return Option.none()
  const hasher = yield* Hasher
  const verifier = yield* Verifier
  const opened = openManifest(bytes.value, place, { hasher, verifier })
  if (opened._tag === "Refused") return Option.none()
  const blobs = yield* BlobStore
  for (const ref of blobsOf(opened.manifest.output.value)) {
    if (!(yield* blobs.has(ref))) return Option.none()
  }
  return Option.some(opened.manifest)
})
