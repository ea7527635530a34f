/** Which manifests a store holds: for looking results up by a part of their key, and for sweeping. */
import { Effect, Option, Schema, Stream } from "effect"
import { Digest } from "../storage/Digest.ts"
import { type ObjectInfo, ObjectStore, type StoreError } from "../storage/ObjectStore.ts"

export interface StoredManifest {
  readonly key: Digest
  readonly info: ObjectInfo
}

const decodeDigest = Schema.decodeUnknownOption(Digest)

/** `manifests/ab/<62 digits>.json` → its job key. */
const jobKeyOf = ({ key }: ObjectInfo): Option.Option<Digest> => {
  const [, head, rest] = /^manifests\/([0-9a-f]{2})\/([0-9a-f]{62})\.json$/.exec(key) ?? []
  return head === undefined ? Option.none() : decodeDigest(`sha256:${head}${rest}`)
}

/** Those whose job key begins with these hexadecimal digits, in the order of keys. */
export const storedManifests = (
  hexPrefix: string
): Stream.Stream<StoredManifest, StoreError, ObjectStore> => {
  const [head, rest] = [hexPrefix.slice(0, 2), hexPrefix.slice(2)]
  const prefix = head.length < 2 ? `manifests/${head}` : `manifests/${head}/${rest}`
  return Stream.unwrap(Effect.map(ObjectStore, (store) => store.list(prefix))).pipe(
    Stream.map((info) =>
      Option.match(jobKeyOf(info), { onNone: () => [], onSome: (key) => [{ key, info }] })
    ),
    Stream.flattenIterable
  )
}
