/** What a result was made from, by the manifests of its inputs, of theirs, and so on up to the sources. */
import { Effect } from "effect"
import type { Digest } from "../storage/Digest.ts"
import type { StoreError } from "../storage/ObjectStore.ts"
import type { InputRecord, Manifest, ManifestInputs } from "./Manifest.ts"
import { ManifestStore } from "./ManifestStore.ts"

/** The artifacts that were read, by input; `models.teacher` is one of an input that takes many. */
export const inputRecords = (inputs: ManifestInputs): ReadonlyMap<string, InputRecord> =>
  new Map(
    Object.entries(inputs).flatMap(([name, input]) =>
      input._tag === "One"
        ? [[name, input.artifact] as const]
        : Object.entries(input.artifacts).map(([key, one]) => [`${name}.${key}`, one] as const)
    )
  )

/** The manifest under a key, unless it is gone or broken. */
export const soundManifest = Effect.fn("Lineage.soundManifest")(function* (key: Digest) {
  const lookup = yield* (yield* ManifestStore).find(key)
  return lookup._tag === "Found" ? lookup.manifest : undefined
})

/**
 * The manifests that a result goes back to, its own included, by job key; `undefined` for those that are gone
 * or broken.
 */
export const lineage = (
  key: Digest
): Effect.Effect<ReadonlyMap<Digest, Manifest | undefined>, StoreError, ManifestStore> =>
  Effect.gen(function* () {
    const found = new Map<Digest, Manifest | undefined>()
    let next: ReadonlyArray<Digest> = [key]
    while (next.length > 0) {
      const manifests = yield* Effect.forEach(next, soundManifest, { concurrency: 8 })
      next.forEach((one, index) => void found.set(one, manifests[index]))
      const read = manifests.flatMap((manifest) =>
        manifest === undefined ? [] : [...inputRecords(manifest.inputs).values()].map(({ jobKey }) => jobKey)
      )
      next = [...new Set(read)].filter((one) => !found.has(one))
    }
    return found
  })
