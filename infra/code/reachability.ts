/**
 * Which declarations a piece of code depends on. Reached are: what the roots export, what is referred to from
 * there, and the statements that act when a module on the way is evaluated, with what they refer to.
 * Declarations are taken as pure: one that nobody refers to is not reached.
 */
import { CodeRefused } from "./CodeRefused.ts"
import type { ModuleGraph, Place, Target } from "./ModuleGraph.ts"
import { type Part, refusedAt, type SourceModule } from "./SourceModule.ts"
import { type Access, type Use, usesOf } from "./uses.ts"

export interface Root {
  readonly path: string
  /** Some of its exports, or all. */
  readonly names: ReadonlyArray<string> | "all"
}

export interface Reached {
  /** Modules of our own that are evaluated, with the parts that are reached. */
  readonly modules: ReadonlyMap<SourceModule, ReadonlySet<Part>>
  /** Names that are taken by what a module calls them: of roots, and of modules that are taken as a whole. */
  readonly exports: ReadonlyMap<SourceModule, ReadonlyArray<string>>
  readonly jsons: ReadonlySet<string>
  /** Exports of packages and of Node's modules: `effect#Schema`. */
  readonly outside: ReadonlySet<string>
  /** What is imported of them: a package's name, perhaps with a path in it. */
  readonly specifiers: ReadonlySet<string>
  /** The entries that are followed, by registry. */
  readonly followed: ReadonlyMap<Part, ReadonlySet<string>>
  /** All keys that it mattered whether a job names them. */
  readonly asked: ReadonlySet<string>
}

export interface ReachOptions {
  readonly roots: ReadonlyArray<Root>
  /** Whether the job names an entry of a registry. */
  readonly isNamed: (key: string) => boolean
  /** Where a root is loaded by `import()`, only its names count as used. */
  readonly rootsOnly?: boolean
}

class Reaching {
  readonly modules = new Map<SourceModule, Set<Part>>()
  readonly exports = new Map<SourceModule, ReadonlyArray<string>>()
  readonly jsons = new Set<string>()
  readonly outside = new Set<string>()
  readonly specifiers = new Set<string>()
  readonly followed = new Map<Part, Set<string>>()
  readonly asked = new Set<string>()
  readonly #whole = new Set<SourceModule>()
  readonly #queue: Array<() => void> = []
  readonly #graph: ModuleGraph
  readonly #options: ReachOptions

  constructor(graph: ModuleGraph, options: ReachOptions) {
    this.#graph = graph
    this.#options = options
  }

  run(): this {
    for (const { names, path } of this.#options.roots) this.#takeRoot(path, names)
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) next()
    return this
  }

  #takeRoot(path: string, names: Root["names"]): void {
    const module = this.#graph.module(path)
    if (module === undefined) throw new Error(`there is no module ${path}`)
    this.#evaluate(module)
    if (names === "all") {
      this.#takeAll(module)
      return
    }
    this.exports.set(module, names)
    for (const name of names) {
      const target = this.#graph.exported(module, name)
      if (target === undefined) throw new Error(`${path} exports no "${name}"`)
      this.#take(target, { _tag: "Whole" })
    }
  }

  /** A module acts when it is evaluated, after all that it imports. */
  #evaluate(module: SourceModule): void {
    if (this.modules.has(module)) return
    this.modules.set(module, new Set())
    refusedAt(module.path, module.source, () => {
      for (const { isBare, offset, specifier } of module.evaluated) {
        const place = this.#graph.place(module, specifier, offset)
        if (place._tag === "Own") this.#queue.push(() => this.#evaluate(this.#graph.module(place.path)!))
        else if (isBare) this.#takePlace(place)
      }
    })
    for (const { parts } of module.statements) {
      for (const part of parts) if (part.names.length === 0) this.#takePart(module, part)
    }
  }

  #takePart(module: SourceModule, part: Part): void {
    const parts = this.modules.get(module)!
    if (parts.has(part)) return
    parts.add(part)
    if (part.registry !== undefined) {
      if (!this.followed.has(part)) this.followed.set(part, new Set())
      return
    }
    this.#queue.push(() =>
      refusedAt(module.path, module.source, () => {
        for (const use of usesOf(part.node, module.bindings)) this.#follow(module, use)
      })
    )
  }

  #follow(module: SourceModule, use: Use): void {
    if (use._tag === "Load") {
      this.#takePlace(this.#graph.place(module, use.specifier, use.offset))
      return
    }
    const target = this.#graph.local(module, use.name)
    if (target === undefined) throw missing(module, use)
    if (target._tag === "Namespace" && use.access._tag === "Member") {
      const member = this.#graph.exported(target.module, use.access.name)
      if (member === undefined) {
        throw new CodeRefused(use.offset, `${target.module.path} exports no "${use.access.name}"`)
      }
      this.#evaluate(target.module)
      this.#take(member, { _tag: "Whole" })
    } else this.#take(target, use.access)
  }

  #take(target: Target, access: Access): void {
    switch (target._tag) {
      case "Engine":
        return
      case "Outside":
        this.outside.add(target.id)
        this.specifiers.add(target.specifier)
        return
      case "Json":
        this.jsons.add(target.path)
        return
      case "Namespace":
        this.#evaluate(target.module)
        this.#takeAll(target.module)
        return
      case "Declaration": {
        const { module, name } = target
        this.#evaluate(module)
        for (const part of module.declared.get(name)!) {
          this.#takePart(module, part)
          if (part.registry !== undefined) this.#takeEntries(module, part, access)
        }
      }
    }
  }

  /** A member chosen at run time is one that the job names; whoever passes the record on may take any. */
  #takeEntries(module: SourceModule, part: Part, access: Access): void {
    const followed = this.followed.get(part)!
    for (const [key, { range, specifier }] of part.registry!) {
      if (access._tag === "SomeMember") this.asked.add(key)
      const isTaken =
        access._tag === "Whole" ||
        (access._tag === "Member" ? access.name === key : this.#options.isNamed(key))
      if (!isTaken || followed.has(key)) continue
      followed.add(key)
      this.#queue.push(() =>
        refusedAt(module.path, module.source, () =>
          this.#takePlace(this.#graph.place(module, specifier, range[0]))
        )
      )
    }
  }

  /** What `import()` gives: the module with all its exports. */
  #takePlace(place: Place): void {
    if (place._tag === "Json") this.jsons.add(place.path)
    if (place._tag === "Outside") {
      this.outside.add(`${place.specifier}#*`)
      this.specifiers.add(place.specifier)
    }
    if (place._tag !== "Own") return
    const module = this.#graph.module(place.path)!
    const root = this.#options.roots.find(({ path }) => path === place.path)
    this.#evaluate(module)
    if (this.#options.rootsOnly === true && root !== undefined && root.names !== "all") return
    this.#takeAll(module)
  }

  #takeAll(module: SourceModule): void {
    if (this.#whole.has(module)) return
    this.#whole.add(module)
    refusedAt(module.path, module.source, () => {
      const names = this.#graph.exportedNames(module)
      this.exports.set(module, names)
      for (const name of names) {
        // What is not found is a type.
        const target = this.#graph.exported(module, name)
        if (target !== undefined) this.#take(target, { _tag: "Whole" })
      }
    })
  }
}

const missing = (
  module: SourceModule,
  { name, offset }: Extract<Use, { readonly _tag: "Name" }>
): CodeRefused => {
  const imported = module.imports.get(name)
  return new CodeRefused(
    offset,
    imported === undefined
      ? `"${name}" is declared nowhere`
      : `"${imported.specifier}" exports no "${imported.name}"`
  )
}

/** Throws `CodeRefusedAt`, and an `Error` for a root that is not there. */
export const reach = (graph: ModuleGraph, options: ReachOptions): Reached =>
  new Reaching(graph, options).run()
