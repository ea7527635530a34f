/** Manifests whose keys and digests are those of what they state. */
import { Effect } from "effect"
import { digestOf } from "../../infra/hashing.ts"
import { Hasher } from "../../lib/storage/Digest.ts"
import { artifactDigest } from "../../lib/workflow/Fingerprint.ts"
import type { Manifest } from "../../lib/workflow/Manifest.ts"
import { statedKey } from "../../lib/workflow/SignedManifest.ts"

/** The manifest with the job key and output digest that it should have. */
export const trueManifest = Effect.fnUntraced(function* (made: Manifest) {
  const hasher = yield* Hasher
  const digest = artifactDigest(hasher, made.output.type, made.output.value)
  const manifest: Manifest = {
    ...made,
    jobKey: statedKey(hasher, made),
    output: { ...made.output, digest }
  }
  return manifest
})

/** Of the job `total` of the pipeline `toy`; jobs differ by their params, results by their value. */
export const manifestOf = (
  value: Manifest["output"]["value"],
  params: Manifest["params"] = {}
): Effect.Effect<Manifest, never, Hasher> =>
  trueManifest({
    schemaVersion: 2,
    jobKey: digestOf(""),
    pipeline: "toy",
    job: "total",
    stage: "total",
    params,
    inputs: {
      numbers: { _tag: "One", artifact: { digest: digestOf("numbers"), jobKey: digestOf("other") } }
    },
    code: { digest: digestOf("code"), declarations: {}, packages: {} },
    output: { type: "total", digest: digestOf(""), value },
    provenance: {}
  })
