/** What a result was made from, as a tree, as a document, as a Mermaid diagram. */
import { adoptionOf } from "../../lib/workflow/Adoption.ts"
import { leavesOf } from "../../lib/workflow/Explain.ts"
import { inputRecords } from "../../lib/workflow/Lineage.ts"
import type { Manifest } from "../../lib/workflow/Manifest.ts"
import { dateAndTime } from "./logLines.ts"
import { fitted, oneLine, type Paint } from "./paint.ts"
import { madeBy } from "./provenance.ts"
import { shortDigest } from "./resultLines.ts"

/** Manifests by job key; `undefined` for those that are gone. */
export type Ancestors = ReadonlyMap<string, Manifest | undefined>

const sourceColumns = 60

/** What a job without inputs was made from stands in its params. */
const sourceOf = ({ inputs, params }: Manifest): string => {
  if (inputRecords(inputs).size > 0) return ""
  const text = Object.entries(leavesOf(params)).map(([path, leaf]) => `${path}=${leaf}`)
  return fitted(oneLine(text.join(" ")), sourceColumns)
}

const headOf = (manifest: Manifest, paint: Paint): string => {
  const { job, jobKey, pipeline, stage } = manifest
  const adoption = adoptionOf(manifest)
  const adopted =
    adoption === undefined
      ? ""
      : `  ${paint.yellow("adopted")} by ${oneLine(adoption.by)}: ${oneLine(adoption.reason)}`
  const { createdAt } = madeBy(manifest)
  const when = createdAt === null ? "" : `  ${dateAndTime(Date.parse(createdAt))}`
  const made = paint.dim(`${shortDigest(jobKey)}${when}`)
  return `${paint.bold(`${pipeline}/${job}`)}  ${stage}  ${made}${adopted}`
}

/** Each result once: where it is read again, its name alone stands there. */
export const lineageLines = (root: string, ancestors: Ancestors, paint: Paint): ReadonlyArray<string> => {
  const shown = new Set<string>()
  const below = (key: string, indent: string): ReadonlyArray<string> => {
    const manifest = ancestors.get(key)
    if (manifest === undefined) return []
    const inputs = [...inputRecords(manifest.inputs)]
    const source = sourceOf(manifest)
    if (inputs.length === 0) return source === "" ? [] : [`${indent}${paint.dim(`from ${source}`)}`]
    return inputs.flatMap(([input, { jobKey }], index) => {
      const isLast = index === inputs.length - 1
      const branch = paint.dim(`${indent}${isLast ? "└─" : "├─"} `)
      const label = paint.cyan(`${oneLine(input)}: `)
      const inner = ancestors.get(jobKey)
      if (inner === undefined) return [`${branch}${label}${shortDigest(jobKey)} is gone from the store`]
      if (shown.has(jobKey))
        return [`${branch}${label}${inner.pipeline}/${inner.job} ${paint.dim("(above)")}`]
      shown.add(jobKey)
      const deeper = below(jobKey, `${indent}${isLast ? "   " : "│  "}`)
      return [`${branch}${label}${headOf(inner, paint)}`, ...deeper]
    })
  }
  const manifest = ancestors.get(root)
  return manifest === undefined ? [] : [headOf(manifest, paint), ...below(root, "")]
}

export const lineageDocument = (root: string, ancestors: Ancestors) => ({
  schemaVersion: 1,
  root,
  results: [...ancestors].map(([key, manifest]) =>
    manifest === undefined
      ? { key, gone: true }
      : {
          key,
          pipeline: manifest.pipeline,
          job: manifest.job,
          stage: manifest.stage,
          type: manifest.output.type,
          digest: manifest.output.digest,
          made: madeBy(manifest),
          adopted: adoptionOf(manifest) ?? null,
          params: manifest.params,
          inputs: Object.fromEntries(
            [...inputRecords(manifest.inputs)].map(([input, { jobKey }]) => [input, jobKey])
          )
        }
  )
})

/** The text of a label: what ends it early is taken out. */
const label = (text: string): string => oneLine(text).replaceAll('"', "'")

/** A word that begins with a letter. */
const idOf = (key: string): string => `r${shortDigest(key)}`

/** Arrows point from what was read to what was made of it. */
export const lineageMermaid = (ancestors: Ancestors): ReadonlyArray<string> => [
  "flowchart LR",
  ...[...ancestors].map(([key, manifest]) => {
    const name = manifest === undefined ? "gone" : `${manifest.pipeline}/${manifest.job}<br>${manifest.stage}`
    return `  ${idOf(key)}["${label(name)}<br>${shortDigest(key)}"]`
  }),
  ...[...ancestors].flatMap(([key, manifest]) =>
    manifest === undefined
      ? []
      : [...inputRecords(manifest.inputs)].map(
          ([input, { jobKey }]) => `  ${idOf(jobKey)} -->|${label(input)}| ${idOf(key)}`
        )
  )
]
