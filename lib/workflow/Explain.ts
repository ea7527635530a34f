/**
 * Why a job misses: how its description differs from the nearest earlier manifest, leaf by leaf, old → new.
 */
import type { Schema } from "effect"
import type { Digest } from "../storage/Digest.ts"
import { type CodeIdentity, declarationOf, type JobCode } from "./CodeClosure.ts"
import { type ExternalRecords, externalDigests, keyParams } from "./ExternalInputs.ts"
import { canonicalJson, type InputDigests } from "./Fingerprint.ts"
import { inputDigests, type Manifest } from "./Manifest.ts"

/** All that enters a job's key. */
export interface JobDescription {
  readonly stage: string
  readonly params: Schema.JsonObject
  readonly code: CodeIdentity
  readonly inputs: InputDigests
  readonly externals: ExternalRecords
  /** Where its declarations stand; of earlier ones nobody knows. */
  readonly lines?: JobCode["lines"]
}

export interface Change {
  readonly kind: "stage" | "param" | "external" | "package" | "code" | "input"
  /**
   * Path of the param, name of the folder or file outside, of the package or input, `path#name` of the
   * declaration.
   */
  readonly path: string
  readonly before: string | undefined
  readonly after: string | undefined
  /** For people: `temperature 4 → 8`. */
  readonly text: string
  /** Where a declaration stands today, by path from its package's root, and its line from 1. */
  readonly file?: string
  readonly line?: number
}

export interface MissReason {
  readonly kind: "never-ran" | "changed" | "forced" | "damaged"
  readonly changes: ReadonlyArray<Change>
  /** The job key of the manifest compared with, where it is not simply the latest of the nearest. */
  readonly since?: Digest
  readonly text: string
}

interface Leaves {
  readonly [path: string]: string
}

/**
 * Every scalar and every empty object or array of a value, as JSON by path: `optimizer.learningRate`,
 * `sizes[2]`.
 */
export const leavesOf = (value: Schema.Json, path = ""): Leaves => {
  const isBranch = typeof value === "object" && value !== null && Object.keys(value).length > 0
  if (!isBranch) return { [path]: canonicalJson(value) }
  const inner = Array.isArray(value)
    ? value.map((item, index) => leavesOf(item, `${path}[${index}]`))
    : Object.entries(value).map(([key, item]) => leavesOf(item, path === "" ? key : `${path}.${key}`))
  return Object.assign({}, ...inner) as Leaves
}

const flatInputs = (inputs: InputDigests): Leaves =>
  Object.fromEntries(
    Object.entries(inputs).flatMap(([name, digest]) =>
      typeof digest === "string"
        ? [[name, digest]]
        : Object.entries(digest).map(([key, inner]) => [`${name}.${key}`, inner])
    )
  )

type Say = (path: string, before: string | undefined, after: string | undefined) => string

const sayParam: Say = (path, before, after) => {
  if (before === undefined) return `${path} added (${after})`
  return after === undefined ? `${path} removed (was ${before})` : `${path} ${before} → ${after}`
}

/** `statements` and `exports` stand for what a module has beside declarations, `json` for a file. */
const declarationText = (id: string): string => {
  const { file, name, service } = declarationOf(id)
  const what = name === "json" ? file : `${file}#${name}`
  return service === undefined ? what : `${what} in service ${service}`
}

const placeOf = (id: string, line: number | undefined) =>
  line === undefined ? {} : { file: declarationOf(id).file, line }

const sayCode =
  (lines: JobCode["lines"]): Say =>
  (id, before, after) => {
    const { file, line } = placeOf(id, lines[id])
    const place = line === undefined ? "" : ` (${file}:${line})`
    if (before === undefined) return `code of ${declarationText(id)} is now used${place}`
    return `code of ${declarationText(id)} ${after === undefined ? "is no longer used" : "changed"}${place}`
  }

/** `1.0.0 sha512-a, 2.0.0 sha512-b` → `1.0.0, 2.0.0` */
const versionOf = (locked: string): string =>
  locked
    .split(", ")
    .map((one) => one.split(" ")[0]!)
    .join(", ")

const sayPackage: Say = (path, before, after) => {
  if (before === undefined) return `package ${path} is now used`
  if (after === undefined) return `package ${path} is no longer used`
  const [from, to] = [versionOf(before), versionOf(after)]
  return from === to ? `package ${path} ${from} has other content` : `package ${path} ${from} → ${to}`
}

const sayInput: Say = (path, before, after) => {
  if (before === undefined) return `input ${path} added`
  return `input ${path} ${after === undefined ? "removed" : "changed"}`
}

const sayExternal =
  (records: ExternalRecords): Say =>
  (path, before, after) => {
    const what = `${records[path]!.kind} ${path}`
    if (before === undefined) return `${what} is now read`
    return `${what} ${after === undefined ? "is no longer read" : "changed"}`
  }

const compared = (kind: Change["kind"], say: Say, before: Leaves, after: Leaves): ReadonlyArray<Change> =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((path) => before[path] !== after[path])
    .sort()
    .map((path) => ({
      kind,
      path,
      before: before[path],
      after: after[path],
      text: say(path, before[path], after[path])
    }))

/** All differences, the ones a person most likely made on purpose first. */
export const changesSince = (
  manifest: Manifest,
  { code, externals, inputs, lines = {}, params, stage }: JobDescription
): ReadonlyArray<Change> => [
  ...compared(
    "stage",
    (_, before, after) => `stage ${before} → ${after}`,
    { stage: manifest.stage },
    { stage }
  ),
  ...compared(
    "param",
    sayParam,
    leavesOf(keyParams(manifest.params, manifest.externals ?? {})),
    leavesOf(params)
  ),
  ...compared(
    "external",
    sayExternal({ ...manifest.externals, ...externals }),
    externalDigests(manifest.externals ?? {}),
    externalDigests(externals)
  ),
  ...compared("package", sayPackage, manifest.code.packages, code.packages),
  ...compared("code", sayCode(lines), manifest.code.declarations, code.declarations).map((change) => ({
    ...change,
    ...placeOf(change.path, lines[change.path])
  })),
  ...compared("input", sayInput, flatInputs(inputDigests(manifest.inputs)), flatInputs(inputs))
]

/** What the key of a finished job was made of. */
export const describedBy = (manifest: Manifest): JobDescription => ({
  stage: manifest.stage,
  params: keyParams(manifest.params, manifest.externals ?? {}),
  code: manifest.code,
  inputs: inputDigests(manifest.inputs),
  externals: manifest.externals ?? {}
})

const numChangesShown = 3

/** The first changes in words, and how many more there are. */
export const summary = (changes: ReadonlyArray<Change>): string => {
  if (changes.length === 0) return "its result is gone from the store"
  const shown = changes.slice(0, numChangesShown).map((change) => change.text)
  const rest = changes.length - shown.length
  return rest === 0 ? shown.join(", ") : `${shown.join(", ")} and ${rest} more`
}

/**
 * Compares with the manifest that differs in the fewest leaves; the latest among equals, `recent` being in
 * order.
 */
export const explain = (job: JobDescription, recent: ReadonlyArray<Manifest>): MissReason => {
  const [first, ...rest] = recent.map((manifest) => changesSince(manifest, job))
  if (first === undefined) return { kind: "never-ran", changes: [], text: "never ran" }
  const changes = rest.reduce((best, next) => (next.length < best.length ? next : best), first)
  return { kind: "changed", changes, text: summary(changes) }
}

export const forced: MissReason = { kind: "forced", changes: [], text: "forced" }
export const damaged = (reason: string): MissReason => ({ kind: "damaged", changes: [], text: reason })
