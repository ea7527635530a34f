/** Modules by path, and what a name in one of them stands for once imports and re-exports are followed. */
import { isBuiltin } from "node:module"
import { CodeRefusedAt } from "./CodeRefused.ts"
import type { Parse } from "./parsing.ts"
import { type Imported, lineOf, readModule, type SourceModule } from "./SourceModule.ts"

/** Where an import leads. */
export type Place =
  | { readonly _tag: "Own"; readonly path: string }
  /** Stands under the version in `job/1`, outside of every closure. */
  | { readonly _tag: "Engine"; readonly path: string }
  | { readonly _tag: "Json"; readonly path: string }
  /** A package, or a module of Node's. */
  | { readonly _tag: "Outside"; readonly specifier: string }

/** What a name stands for. */
export type Target =
  | { readonly _tag: "Declaration"; readonly module: SourceModule; readonly name: string }
  | { readonly _tag: "Namespace"; readonly module: SourceModule }
  | { readonly _tag: "Json"; readonly path: string }
  | { readonly _tag: "Engine"; readonly id: string }
  | { readonly _tag: "Outside"; readonly id: string; readonly specifier: string }

export interface Sources {
  /** By path from the root; `undefined` where there is no such file. */
  readonly read: (path: string) => string | undefined
  readonly isEngine: (path: string) => boolean
}

/** `./half.ts` in `lib/loss.ts` → `lib/half.ts` */
const joined = (from: string, specifier: string): string => {
  const parts = from.split("/").slice(0, -1)
  for (const part of specifier.split("/")) {
    if (part === "..") {
      if (parts.length === 0 || parts.at(-1) === "..") parts.push("..")
      else parts.pop()
    } else if (part !== "." && part !== "") parts.push(part)
  }
  return parts.join("/")
}

const outside = (specifier: string): string =>
  isBuiltin(specifier) && !specifier.startsWith("node:") ? `node:${specifier}` : specifier

export class ModuleGraph {
  readonly #sources: Sources
  readonly #parse: Parse
  readonly #modules = new Map<string, SourceModule>()
  readonly #jsons = new Map<string, string>()

  constructor(sources: Sources, parse: Parse) {
    this.#sources = sources
    this.#parse = parse
  }

  /** Every file that was read, by path. */
  get files(): ReadonlyMap<string, string> {
    return new Map([
      ...[...this.#modules].map(([path, { source }]) => [path, source] as const),
      ...this.#jsons
    ])
  }

  /** Throws `CodeRefusedAt` where it cannot be parsed. */
  module(path: string): SourceModule | undefined {
    const known = this.#modules.get(path)
    if (known !== undefined) return known
    const source = this.#sources.read(path)
    if (source === undefined) return undefined
    const module = readModule(path, source, this.#parse)
    this.#modules.set(path, module)
    return module
  }

  json(path: string): string {
    return this.#jsons.get(path)!
  }

  /** Throws `CodeRefusedAt` where there is no such module. */
  place(from: SourceModule, specifier: string, offset: number): Place {
    if (!specifier.startsWith(".")) return { _tag: "Outside", specifier: outside(specifier) }
    const path = joined(from.path, specifier)
    const notThere = (what: string) =>
      new CodeRefusedAt(
        `${from.path}:${lineOf(from.source, offset)}: there is no ${what} "${specifier}", ` +
          "by that very name"
      )
    if (this.#sources.isEngine(path)) return { _tag: "Engine", path }
    if (path.endsWith(".json")) {
      const text = this.#jsons.get(path) ?? this.#sources.read(path)
      if (text === undefined) throw notThere("file")
      this.#jsons.set(path, text)
      return { _tag: "Json", path }
    }
    if (this.module(path) === undefined) throw notThere("module")
    return { _tag: "Own", path }
  }

  /** What an import stands for; `undefined` where the module has no such export, which may be a type. */
  imported(from: SourceModule, { name, offset, specifier }: Imported): Target | undefined {
    return this.#at(this.place(from, specifier, offset), name, new Set())
  }

  /** What a name of the module's own scope stands for. */
  local(module: SourceModule, name: string): Target | undefined {
    return this.#local(module, name, new Set())
  }

  exported(module: SourceModule, name: string): Target | undefined {
    return this.#exported(module, name, new Set())
  }

  /** All names that a module exports, those of `export *` included. */
  exportedNames(module: SourceModule, seen = new Set<string>()): ReadonlyArray<string> {
    if (seen.has(module.path)) return []
    seen.add(module.path)
    const through = module.stars.flatMap(({ offset, specifier }) => {
      const place = this.place(module, specifier, offset)
      if (place._tag !== "Own") return []
      return this.exportedNames(this.module(place.path)!, seen).filter((name) => name !== "default")
    })
    return [...new Set([...module.exports.keys(), ...through])].sort()
  }

  #at(place: Place, name: string, seen: Set<string>): Target | undefined {
    switch (place._tag) {
      case "Outside":
        return { _tag: "Outside", id: `${place.specifier}#${name}`, specifier: place.specifier }
      case "Engine":
        return { _tag: "Engine", id: `${place.path}#${name}` }
      case "Json":
        return { _tag: "Json", path: place.path }
      case "Own": {
        const module = this.module(place.path)!
        return name === "*" ? { _tag: "Namespace", module } : this.#exported(module, name, seen)
      }
    }
  }

  #local(module: SourceModule, name: string, seen: Set<string>): Target | undefined {
    const imported = module.imports.get(name)
    if (imported !== undefined) {
      return this.#at(this.place(module, imported.specifier, imported.offset), imported.name, seen)
    }
    return module.declared.has(name) ? { _tag: "Declaration", module, name } : undefined
  }

  /** `seen` ends the search where modules export each other in a circle. */
  #exported(module: SourceModule, name: string, seen: Set<string>): Target | undefined {
    const step = `${module.path}#${name}`
    if (seen.has(step)) return undefined
    seen.add(step)
    const own = module.exports.get(name)
    if (own?._tag === "Local") return this.#local(module, own.name, seen)
    if (own?._tag === "From") {
      const { name: inner, offset, specifier } = own.imported
      return this.#at(this.place(module, specifier, offset), inner, seen)
    }
    if (name === "default") return undefined
    const found = module.stars.flatMap(({ offset, specifier }) => {
      const target = this.#at(this.place(module, specifier, offset), name, seen)
      return target === undefined ? [] : [target]
    })
    // A package may have the name or not; a module of ours that has it is sure.
    return found.find(({ _tag }) => _tag !== "Outside" && _tag !== "Engine") ?? found[0]
  }
}
