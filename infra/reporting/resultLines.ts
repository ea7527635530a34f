/** One result of the store, whole: where it comes from, what it is made of, what it holds. */
import type { BlobRef } from "../../lib/storage/BlobStore.ts"
import { adoptionOf } from "../../lib/workflow/Adoption.ts"
import { leavesOf } from "../../lib/workflow/Explain.ts"
import { inputRecords } from "../../lib/workflow/Lineage.ts"
import { blobsOf, type Manifest } from "../../lib/workflow/Manifest.ts"
import { madeText } from "./explanations.ts"
import { bytes } from "./numbers.ts"
import { oneLine, type Paint } from "./paint.ts"
import { madeBy } from "./provenance.ts"

/** Digits that tell results of one store apart, as commands take them. */
const numHexShown = 12

/** `sha256:0123456789ab…` → `0123456789ab` */
export const shortDigest = (digest: string): string =>
  digest.slice("sha256:".length, "sha256:".length + numHexShown)

/** An input's maker, where its manifest is still there. */
export interface ShownInput {
  readonly input: string
  readonly digest: string
  readonly jobKey: string
  readonly job: string | undefined
}

export interface ShownResult {
  readonly manifest: Manifest
  readonly inputs: ReadonlyArray<ShownInput>
}

export const shownInputs = (
  manifest: Manifest,
  manifestOf: (jobKey: string) => Manifest | undefined
): ReadonlyArray<ShownInput> =>
  [...inputRecords(manifest.inputs)].map(([input, { digest, jobKey }]) => {
    const made = manifestOf(jobKey)
    return { input, digest, jobKey, job: made === undefined ? undefined : `${made.pipeline}/${made.job}` }
  })

const sizeOf = (blobs: ReadonlyArray<BlobRef>): number =>
  blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)

const numLinesMax = 30

const numItemsShown = 4

/** A list of more than a few leaves (the classes of a dataset) as one: its first, and how many there are. */
const withListsAsOne = (leaves: ReadonlyArray<readonly [path: string, leaf: string]>) => {
  const listOf = ([path]: readonly [string, string]) => /^(.*)\[\d+\]$/.exec(path)?.[1] ?? path
  return [...Map.groupBy(leaves, listOf)].flatMap(([path, items]) => {
    if (items.length <= numItemsShown) return items
    const first = items.slice(0, numItemsShown - 1).map(([, leaf]) => leaf)
    return [[path, `[${first.join(", ")}, …], ${items.length} in all`] as const]
  })
}

/** The leaves of a value, one a line; the rest of a long one is counted. */
const leafLines = (value: Parameters<typeof leavesOf>[0]): ReadonlyArray<string> => {
  const leaves = Object.entries(leavesOf(value)).filter(([path]) => !/(^|\.)(blob|sizeBytes)$/.test(path))
  const lines = withListsAsOne(leaves).map(([path, leaf]) =>
    oneLine(path === "" ? leaf : `${path} = ${leaf}`)
  )
  const rest = lines.length - numLinesMax
  return rest <= 1 ? lines : [...lines.slice(0, numLinesMax), `and ${rest} more: --json shows all`]
}

const columns = 12

const titled = (title: string, lines: ReadonlyArray<string>, paint: Paint): ReadonlyArray<string> =>
  lines.map((line, index) => `${paint.dim((index === 0 ? title : "").padEnd(columns))}${line}`)

const adoptionLines = (manifest: Manifest): ReadonlyArray<string> => {
  const adoption = adoptionOf(manifest)
  if (adoption === undefined) return []
  return [
    oneLine(`by ${adoption.by} at ${adoption.at}: ${adoption.reason}`),
    `from ${shortDigest(adoption.fromKey)}, though ${oneLine(adoption.changes.join(", "))}`
  ]
}

/** Folders and files of the user's own, as they were. */
const externalLines = ({ externals = {} }: Manifest): ReadonlyArray<string> =>
  Object.entries(externals).map(([name, { digest, path }]) =>
    oneLine(`${name}: ${path} (${shortDigest(digest)})`)
  )

const provenanceLines = ({ provenance }: Manifest): ReadonlyArray<string> => {
  const { adopted: _, createdAt: __, runId: ___, seconds: ____, ...rest } = provenance
  return Object.keys(rest).length === 0 ? [] : leafLines(rest)
}

export const resultLines = ({ inputs, manifest }: ShownResult, paint: Paint): ReadonlyArray<string> => {
  const { code, job, jobKey, output, params, pipeline, stage } = manifest
  const blobs = blobsOf(output.value)
  const declared = Object.keys(code.declarations).length
  const inputLines = inputs.map(({ digest, input, job: from }) =>
    oneLine(`${input}: ${from ?? "a result that is gone"} (${shortDigest(digest)})`)
  )
  const blobLines = blobs.map(({ blob, sizeBytes }) => `${blob}  ${bytes(sizeBytes)}`)
  return [
    `${paint.bold(`${pipeline}/${job}`)}: ${output.type}, made by stage ${stage}`,
    "",
    ...titled("key", [jobKey], paint),
    ...titled("content", [output.digest], paint),
    ...titled("made", [madeText(madeBy(manifest))], paint),
    ...titled("adopted", adoptionLines(manifest), paint),
    ...titled("params", leafLines(params), paint),
    ...titled("inputs", inputLines, paint),
    ...titled("outside", externalLines(manifest), paint),
    ...titled("code", [`${declared} declarations, ${Object.keys(code.packages).length} packages`], paint),
    ...titled("blobs", blobs.length === 0 ? ["none"] : [`${blobs.length}, ${bytes(sizeOf(blobs))}`], paint),
    ...titled("", blobLines.slice(0, numLinesMax), paint),
    ...titled("value", leafLines(output.value), paint),
    ...titled("provenance", provenanceLines(manifest), paint)
  ]
}

export const resultDocument = ({ inputs, manifest }: ShownResult) => {
  const { code, job, jobKey, output, params, pipeline, provenance, stage } = manifest
  const blobs = blobsOf(output.value)
  return {
    schemaVersion: 1,
    kind: "result",
    pipeline,
    job,
    stage,
    key: jobKey,
    made: madeBy(manifest),
    adopted: adoptionOf(manifest) ?? null,
    params,
    inputs: inputs.map((one) => ({ ...one, job: one.job ?? null })),
    externals: manifest.externals ?? {},
    code,
    output,
    blobs,
    sizeBytes: sizeOf(blobs),
    provenance
  }
}
