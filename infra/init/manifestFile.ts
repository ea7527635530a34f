/** The `package.json` of a project: a new one, or the one that is there with what it lacks. */
import packageJson from "../../package.json" with { type: "json" }
import type { Dependency } from "./dependency.ts"

interface Fields {
  readonly [field: string]: unknown
}

const { allowScripts, dependencies, devDependencies } = packageJson

/** Packages that npm may run scripts of: those that a project needs, so not the GPU binding. */
const { "@tensorflow/tfjs-node-gpu": _, ...scriptsAllowed } = allowScripts

const wanted = ({ spec }: Dependency) => ({
  type: "module",
  scripts: {
    start: "distillery run ./my-pipeline.ts",
    test: "node --test",
    check: "tsc --noEmit"
  },
  dependencies: { distillery: spec, effect: dependencies.effect },
  devDependencies: { "@types/node": devDependencies["@types/node"], typescript: devDependencies.typescript },
  allowScripts: scriptsAllowed
})

const textOf = (fields: Fields): string => `${JSON.stringify(fields, null, 2)}\n`

export const newManifest = (name: string, dependency: Dependency): string =>
  textOf({ name, version: "0.0.0", private: true, ...wanted(dependency) })

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What `npm init` writes: nobody chose it. */
const isPlaceholder = (field: string, value: unknown): boolean =>
  (field === "test" && typeof value === "string" && value.includes("no test specified")) ||
  (field === "type" && value === "commonjs")

interface Completed {
  readonly fields: Fields
  /** Of what was not there, by path: `scripts.test`. */
  readonly added: ReadonlyArray<string>
}

/** What is there stays as it is, and where it is. */
const completed = (present: Fields, missing: Fields, prefix: string): Completed => {
  const fields: Record<string, unknown> = { ...present }
  const added = Object.entries(missing).flatMap(([field, value]) => {
    const there = fields[field]
    if (there === undefined || isPlaceholder(field, there)) {
      fields[field] = value
      return [`${prefix}${field}`]
    }
    if (!isFields(there) || !isFields(value)) return []
    const inner = completed(there, value, `${prefix}${field}.`)
    fields[field] = inner.fields
    return inner.added
  })
  return { fields, added }
}

/** Throws where the text is no JSON object. */
export const completedManifest = (
  present: string,
  dependency: Dependency
): { readonly text: string; readonly added: ReadonlyArray<string> } => {
  const parsed: unknown = JSON.parse(present)
  if (!isFields(parsed)) throw new Error("it holds no object")
  const { added, fields } = completed(parsed, wanted(dependency), "")
  return { text: textOf(fields), added }
}
