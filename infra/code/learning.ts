/** Analyses code and makes what is executed of it. Only this module brings the parser along. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Digest } from "../../lib/storage/Digest.ts"
import { digestOf } from "../hashing.ts"
import { blanked } from "./blanking.ts"
import { type Bundle, bundle } from "./bundling.ts"
import { lockedPackages, packageNameOf } from "./lockedPackages.ts"
import { ModuleGraph } from "./ModuleGraph.ts"
import { loadParser } from "./parsing.ts"
import { type Reached, type Root, reach } from "./reachability.ts"
import { hashed } from "./structuralDigest.ts"

/** A piece of code that is known by itself. */
export interface CodeUnit {
  /** What paths are relative to, and where packages are looked up. */
  readonly root: string
  /** What is hashed. */
  readonly hashed: ReadonlyArray<Root>
  /** Paths of files in other languages, hashed as they are. */
  readonly whole?: ReadonlyArray<string>
  /** The module whose exports are executed, with the body: a stage's contract. */
  readonly executed?: { readonly path: string; readonly stageName: string }
}

export interface Learned {
  /** Keys of registries that it mattered whether the job names them. */
  readonly asked: ReadonlyArray<string>
  /** Digest of each source by path from the root. */
  readonly sources: { readonly [path: string]: Digest }
  /** The same of files in other languages. */
  readonly whole: { readonly [path: string]: Digest }
  readonly declarations: { readonly [id: string]: Digest }
  readonly lines: { readonly [id: string]: number }
  readonly packages: { readonly [name: string]: string }
  /** Absolute paths of what says so. */
  readonly packageFiles: ReadonlyArray<string>
}

export interface Learning {
  readonly learned: Learned
  /** `undefined` for a unit of which nothing is executed. */
  readonly bundle: (folder: string) => Promise<Bundle | undefined>
}

const readIfPresent = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

/** A contract may stand beside others in its module: only the one that is asked for is executed. */
const contractExports = (
  graph: ModuleGraph,
  path: string,
  stageName: string
): ReadonlyArray<string> | "all" => {
  const module = graph.module(path)
  if (module === undefined) throw new Error(`there is no module ${path}`)
  const found = [...module.exports].flatMap(([exported, { _tag }]) => {
    const target = _tag === "Local" ? graph.exported(module, exported) : undefined
    const parts = target?._tag === "Declaration" ? target.module.declared.get(target.name)! : []
    return parts.some(({ node }) => stageNameOf(node) === stageName) ? [exported] : []
  })
  return found.length === 0 ? "all" : found
}

interface Declaration {
  readonly declarations?: ReadonlyArray<{
    readonly init: { readonly arguments?: ReadonlyArray<{ readonly value?: unknown }> } | null
  }>
}

/** `const x = Stage.make("name", …)` → `name` */
const stageNameOf = (node: unknown): unknown =>
  (node as Declaration).declarations?.[0]?.init?.arguments?.[0]?.value

const packageNames = ({ specifiers }: Reached): ReadonlyArray<string> => [
  ...new Set([...specifiers].flatMap((specifier) => packageNameOf(specifier) ?? []))
]

const wholeFiles = ({ root, whole = [] }: CodeUnit): Learned["whole"] =>
  Object.fromEntries(whole.map((path) => [path, digestOf(readFileSync(join(root, path), "utf8"))]))

export class Analyst {
  readonly #graphs = new Map<string, ModuleGraph>()
  readonly #isEngine: (root: string, path: string) => boolean

  constructor(isEngine: (root: string, path: string) => boolean) {
    this.#isEngine = isEngine
  }

  /** Sources are read once: an edit during a run does not reach into it. */
  async #graph(root: string): Promise<ModuleGraph> {
    const parse = await loadParser()
    const known = this.#graphs.get(root)
    if (known !== undefined) return known
    const read = (path: string) => readIfPresent(join(root, path))
    const graph = new ModuleGraph({ read, isEngine: (path) => this.#isEngine(root, path) }, parse)
    this.#graphs.set(root, graph)
    return graph
  }

  /** Rejects with an error whose message says what is wrong, with file and line. */
  async learn(unit: CodeUnit, isNamed: (key: string) => boolean): Promise<Learning> {
    const { executed, root } = unit
    const graph = await this.#graph(root)
    const reached = reach(graph, { roots: unit.hashed, isNamed })
    const all =
      executed === undefined
        ? reached
        : reach(graph, {
            roots: [
              ...unit.hashed,
              { path: executed.path, names: contractExports(graph, executed.path, executed.stageName) }
            ],
            isNamed,
            rootsOnly: true
          })
    const { files, identities } = lockedPackages(root, packageNames(reached))
    const whole = wholeFiles(unit)
    const { declarations, lines } = hashed(graph, reached)
    const paths = [...[...all.modules.keys()].map(({ path }) => path), ...all.jsons]
    return {
      learned: {
        asked: [...new Set([...reached.asked, ...all.asked])].sort(),
        sources: Object.fromEntries(paths.sort().map((path) => [path, digestOf(graph.files.get(path)!)])),
        whole,
        declarations: { ...declarations, ...whole },
        lines,
        packages: identities,
        packageFiles: files
      },
      bundle: async (folder) =>
        executed === undefined
          ? undefined
          : bundle({
              root,
              entry: executed.path,
              texts: new Map([
                ...blanked(graph, all),
                ...[...all.jsons].map((path) => [path, graph.json(path)] as const)
              ]),
              isEngine: (path) => this.#isEngine(root, path),
              folder
            })
    }
  }
}
