/**
 * The source of a module without what is not reached: blanked out, its line feeds kept, so that every line
 * that is left has its number. What was reached has the text that was hashed.
 */

import type { Syntax } from "./erasure.ts"
import type { ModuleGraph, Target } from "./ModuleGraph.ts"
import type { Reached } from "./reachability.ts"
import { nameOf, type Part, type SourceModule, type Statement } from "./SourceModule.ts"
import { usesOf } from "./uses.ts"

interface Edit {
  readonly range: Syntax["range"]
  readonly text: string
}

const applied = (source: string, edits: ReadonlyArray<Edit>): string => {
  let end = 0
  const pieces = [...edits]
    .sort((a, b) => a.range[0] - b.range[0])
    .flatMap(({ range, text }) => {
      const before = source.slice(end, range[0])
      end = range[1]
      return [before, text, source.slice(...range).replace(/[^\n]/g, "")]
    })
  return [...pieces, source.slice(end)].join("")
}

const isIdentifier = (name: string): boolean => /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)
const spelled = (name: string): string => (isIdentifier(name) ? name : JSON.stringify(name))
const renamed = (from: string, to: string): string =>
  from === to ? spelled(from) : `${spelled(from)} as ${spelled(to)}`

/** The declarators that are not reached, and the commas that would be left over. */
const declaratorEdits = (statement: Statement, parts: ReadonlySet<Part>): ReadonlyArray<Edit> => {
  const edits: Array<Edit> = []
  let numKept = 0
  statement.parts.forEach((part, index) => {
    const isKept = parts.has(part)
    const before = statement.parts[index - 1]
    if (before !== undefined) {
      const between = [before.node.range[1], part.node.range[0]] as const
      edits.push({ range: between, text: isKept && numKept > 0 ? "," : " " })
    }
    if (isKept) numKept += 1
    else edits.push({ range: part.node.range, text: "" })
  })
  return edits
}

const unnamedEntry = (key: string, path: string): string => {
  const message =
    `The entry ${JSON.stringify(key)} of a list in ${path} is not among the names in this job's params ` +
    "and inputs, so its code was not hashed. Let a param name it."
  return `() => { throw new Error(${JSON.stringify(message)}) }`
}

const registryEdits = (path: string, part: Part, followed: ReadonlySet<string>): ReadonlyArray<Edit> =>
  [...part.registry!].flatMap(([key, { range }]) =>
    followed.has(key) ? [] : [{ range, text: unnamedEntry(key, path) }]
  )

const codeEdits = (module: SourceModule, reached: Reached): ReadonlyArray<Edit> => {
  const parts = reached.modules.get(module)!
  return module.statements.flatMap((statement): ReadonlyArray<Edit> => {
    const kept = statement.parts.filter((part) => parts.has(part))
    if (kept.length === 0) return [{ range: statement.range, text: ";" }]
    const registries = kept.flatMap((part) => {
      const followed = reached.followed.get(part)
      return followed === undefined ? [] : registryEdits(module.path, part, followed)
    })
    return kept.length === statement.parts.length
      ? registries
      : [...declaratorEdits(statement, parts), ...registries]
  })
}

/** Rewrites imports and exports so that they name only what is left. */
class Links {
  readonly #graph: ModuleGraph
  readonly #reached: Reached
  readonly #module: SourceModule
  readonly #used: ReadonlySet<string>

  constructor(graph: ModuleGraph, reached: Reached, module: SourceModule) {
    this.#graph = graph
    this.#reached = reached
    this.#module = module
    const parts = [...reached.modules.get(module)!]
    const uses = parts.flatMap((part) => usesOf(part.node, module.bindings))
    this.#used = new Set(uses.flatMap((use) => (use._tag === "Name" ? [use.name] : [])))
  }

  edits(): ReadonlyArray<Edit> {
    return this.#module.links.flatMap((node) => {
      const text = this.#rewritten(node)
      return text === undefined ? [] : [{ range: node.range, text: `${text};` }]
    })
  }

  #isLeft(target: Target | undefined): boolean {
    switch (target?._tag) {
      case undefined:
        return false
      case "Declaration": {
        const parts = this.#reached.modules.get(target.module)
        return target.module.declared.get(target.name)!.some((part) => parts?.has(part) === true)
      }
      case "Outside":
        return this.#reached.outside.has(target.id)
      case "Namespace":
        return this.#reached.modules.has(target.module)
      case "Json":
        return this.#reached.jsons.has(target.path)
      case "Engine":
        return true
    }
  }

  #isImportUsed(local: string): boolean {
    if (this.#used.has(local)) return true
    const exports = [...this.#module.exports.values()]
    const isExported = exports.some((one) => one._tag === "Local" && one.name === local)
    return isExported && this.#isLeft(this.#graph.local(this.#module, local))
  }

  /** `undefined` leaves the text as it is. */
  #rewritten(node: Syntax): string | undefined {
    const specifiers = (node.specifiers ?? []) as ReadonlyArray<Syntax>
    if (node.type === "ImportDeclaration") return this.#import(node, specifiers)
    if (node.type === "ExportAllDeclaration" && node.exported === null) return this.#star(node)
    const names =
      node.type === "ExportAllDeclaration"
        ? [nameOf(node.exported)]
        : specifiers.map((one) => nameOf(one.exported))
    if (names.every((name) => this.#isLeft(this.#graph.exported(this.#module, name)))) return undefined
    const left = specifiers.filter((one) =>
      this.#isLeft(this.#graph.exported(this.#module, nameOf(one.exported)))
    )
    if (left.length === 0) return node.source === null ? "" : this.#evaluation(node)
    const from = node.source === null ? "" : ` from ${this.#from(node)}`
    const list = left.map((one) => renamed(nameOf(one.local), nameOf(one.exported)))
    return `export { ${list.join(", ")} }${from}`
  }

  #import(node: Syntax, specifiers: ReadonlyArray<Syntax>): string | undefined {
    const used = specifiers.filter((one) => this.#isImportUsed(nameOf(one.local)))
    if (used.length === 0) return specifiers.length === 0 ? undefined : this.#evaluation(node)
    const local = (type: string) => used.flatMap((one) => (one.type === type ? [nameOf(one.local)] : []))
    const named = used
      .filter(({ type }) => type === "ImportSpecifier")
      .map((one) => renamed(nameOf(one.imported), nameOf(one.local)))
    const clauses = [
      ...local("ImportDefaultSpecifier"),
      ...local("ImportNamespaceSpecifier").map((name) => `* as ${name}`),
      ...(named.length > 0 ? [`{ ${named.join(", ")} }`] : [])
    ]
    return `import ${clauses.join(", ")} from ${this.#from(node)}`
  }

  #star(node: Syntax): string | undefined {
    const place = this.#graph.place(this.#module, nameOf(node.source), node.range[0])
    if (place._tag !== "Outside") return undefined
    const isUsed = [...this.#reached.outside].some((id) => id.startsWith(`${place.specifier}#`))
    return isUsed ? undefined : ""
  }

  /** Of an import that binds nothing any more: a module of ours still acts. */
  #evaluation(node: Syntax): string {
    const place = this.#graph.place(this.#module, nameOf(node.source), node.range[0])
    return place._tag === "Own" ? `import ${this.#from(node)}` : ""
  }

  #from(node: Syntax): string {
    const specifier = nameOf(node.source)
    const json = specifier.endsWith(".json") ? ' with { type: "json" }' : ""
    return `${JSON.stringify(specifier)}${json}`
  }
}

/** By path: what is left of each module that is evaluated. */
export const blanked = (graph: ModuleGraph, reached: Reached): ReadonlyMap<string, string> =>
  new Map(
    [...reached.modules.keys()].map((module) => {
      const links = new Links(graph, reached, module).edits()
      const types = module.gone.map((range) => ({ range, text: ";" }))
      return [module.path, applied(module.source, [...codeEdits(module, reached), ...links, ...types])]
    })
  )
