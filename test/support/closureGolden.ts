/** The closure of the package in `test/golden/closures`, as text that a person can check. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { ModuleGraph } from "../../infra/code/ModuleGraph.ts"
import { loadParser } from "../../infra/code/parsing.ts"
import { type Reached, type Root, reach } from "../../infra/code/reachability.ts"
import { preImagesOf } from "../../infra/code/structuralDigest.ts"

export const closureFolder = join(import.meta.dirname, "../golden/closures")

export type Sources = { readonly [path: string]: string }

/** A line `== path` begins a file. */
export const readSources = (file: string): Sources =>
  Object.fromEntries(
    readFileSync(file, "utf8")
      .split(/^== /m)
      .slice(1)
      .map((section) => {
        const end = section.indexOf("\n")
        return [section.slice(0, end), section.slice(end + 1)]
      })
  )

const parse = await loadParser()

export interface Analysed {
  readonly graph: ModuleGraph
  readonly reached: Reached
}

export const analysed = (
  read: (path: string) => string | undefined,
  roots: ReadonlyArray<Root>,
  named: ReadonlyArray<string> = []
): Analysed => {
  const graph = new ModuleGraph({ read, isEngine: (path) => path.startsWith("lib/workflow/") }, parse)
  return { graph, reached: reach(graph, { roots, isNamed: (key) => named.includes(key) }) }
}

/** What is hashed, by declaration, in the order of their names. */
export const preImages = ({ graph, reached }: Analysed): { readonly [id: string]: string } =>
  Object.fromEntries([...preImagesOf(graph, reached)].sort(([a], [b]) => (a < b ? -1 : 1)))

/** Of `run` in `body.ts` and what the other files hold. */
export const imagesOf = (sources: Sources, named: ReadonlyArray<string> = []) =>
  preImages(analysed((path) => sources[path], [{ path: "body.ts", names: ["run"] }], named))

export const goldenClosure = () => {
  const sources = readSources(join(closureFolder, "sources.txt"))
  const { graph, reached } = analysed(
    (path) => sources[path],
    [{ path: "stages/body.ts", names: ["run"] }],
    ["two"]
  )
  return {
    asked: [...reached.asked].sort(),
    outside: [...reached.outside].sort(),
    preImages: preImages({ graph, reached })
  }
}
