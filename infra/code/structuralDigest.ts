/**
 * Digests of declarations by their structure: the tree without types, positions and spelling, in which a name
 * that is declared elsewhere stands as what it means. Two texts that the language takes for the same have the
 * same digest.
 */
import type { Digest } from "../../lib/storage/Digest.ts"
import { jsonValue } from "../../lib/storage/jsonValue.ts"
import { preImage } from "../../lib/workflow/Fingerprint.ts"
import { digestOf } from "../hashing.ts"
import { isSyntax, type Syntax } from "./erasure.ts"
import type { ModuleGraph, Target } from "./ModuleGraph.ts"
import type { Reached } from "./reachability.ts"
import { literalText, staticKey } from "./registries.ts"
import { lineOf, type Part, type SourceModule } from "./SourceModule.ts"
import { memberOf } from "./uses.ts"

const idOf = (target: Target): string => {
  switch (target._tag) {
    case "Declaration":
      return `${target.module.path}#${target.name}`
    case "Namespace":
      return `${target.module.path}#*`
    case "Json":
      return `${target.path}#json`
    default:
      return target.id
  }
}

const literal = ({ bigint, regex, value }: Syntax): object => {
  if (regex != null) return { regex }
  if (bigint != null) return { bigint }
  // JSON has no number as large as `1e999`.
  return typeof value === "number" && !Number.isFinite(value) ? { number: String(value) } : { value }
}

const placeId = (graph: ModuleGraph, module: SourceModule, specifier: string): string => {
  const place = graph.place(module, specifier, 0)
  return place._tag === "Outside" ? place.specifier : place.path
}

/** A tree as plain JSON. */
const structure = (graph: ModuleGraph, module: SourceModule, root: Syntax): unknown => {
  const meaning = (node: Syntax): Target | undefined => {
    const name = module.bindings.get(node)
    return name === undefined ? undefined : graph.local(module, name)
  }
  const memberMeaning = (node: Syntax): Target | undefined => {
    const object = meaning(node.object as Syntax)
    const name = object?._tag === "Namespace" ? memberOf(node) : undefined
    return name === undefined ? undefined : graph.exported((object as { module: SourceModule }).module, name)
  }
  const value = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(value)
    return isSyntax(item) ? plain(item) : item
  }
  const plain = (node: Syntax): unknown => {
    const { range: _, type, ...fields } = node
    if (type === "Literal") return { type, ...literal(node) }
    const target =
      type === "Identifier" ? meaning(node) : type === "MemberExpression" ? memberMeaning(node) : undefined
    if (target !== undefined) return { type: "Reference", to: idOf(target) }
    if (type === "ImportExpression") {
      const specifier = literalText(node.source)!
      return { type, source: placeId(graph, module, specifier), options: value(node.options) }
    }
    // `{ a: 1 }` and `{ "a": 1 }` are one, as are `x.a` and `x["a"]`.
    const key = staticKey(node)
    const named = key === undefined ? {} : { key }
    const member = type === "MemberExpression" ? memberOf(node) : undefined
    const taken = member === undefined ? {} : { computed: false, property: member }
    const rest = Object.entries({ ...fields, ...named, ...taken }).map(([name, item]) => [name, value(item)])
    return { type, ...Object.fromEntries(rest) }
  }
  return plain(root)
}

/** A registry is the entries that the job follows, in no order. */
const registryStructure = (
  graph: ModuleGraph,
  module: SourceModule,
  part: Part,
  followed: ReadonlySet<string>
) => ({
  type: "Registry",
  names: part.names,
  entries: Object.fromEntries(
    [...followed].map((key) => [key, placeId(graph, module, part.registry!.get(key)!.specifier)])
  )
})

export interface HashedDeclarations {
  /** By `path#name`; `path#statements`, `path#exports` and `path#json` stand for the rest of a module. */
  readonly declarations: { readonly [id: string]: Digest }
  /** Line of each in its file, from 1. */
  readonly lines: { readonly [id: string]: number }
}

/** What is hashed for each declaration that was reached: its type of record, and JSON. */
export const preImagesOf = (graph: ModuleGraph, reached: Reached): ReadonlyMap<string, string> => {
  const structures = new Map<string, Array<unknown>>()
  for (const [module, parts] of reached.modules) {
    for (const part of inSourceOrder(parts)) {
      const id = idOfPart(module, part)
      const followed = reached.followed.get(part)
      const made =
        followed === undefined
          ? structure(graph, module, part.node)
          : registryStructure(graph, module, part, followed)
      structures.set(id, [...(structures.get(id) ?? []), made])
    }
    // Statements act on what stands beside them, before or after.
    const order = inSourceOrder(parts).map(({ names }) => names.join(","))
    const acting = `${module.path}#statements`
    if (structures.has(acting)) structures.set(acting, [...structures.get(acting)!, { type: "Order", order }])
  }
  for (const [module, names] of reached.exports) {
    const elsewhere = renamedExports(graph, module, names)
    if (Object.keys(elsewhere).length > 0) structures.set(`${module.path}#exports`, [elsewhere])
  }
  // As text: the order of its keys is what `Object.keys` gives.
  for (const path of reached.jsons) {
    structures.set(`${path}#json`, [JSON.stringify(jsonValue(graph.json(path)))])
  }
  return new Map([...structures].map(([id, made]) => [id, preImage("declaration/1", made)]))
}

/** Names under which a module exports what is called otherwise, or lies elsewhere. */
const renamedExports = (
  graph: ModuleGraph,
  module: SourceModule,
  names: ReadonlyArray<string>
): { readonly [name: string]: string } =>
  Object.fromEntries(
    names.flatMap((name) => {
      const target = graph.exported(module, name)
      const id = target === undefined ? `${module.path}#${name}` : idOf(target)
      return id === `${module.path}#${name}` ? [] : [[name, id]]
    })
  )

const inSourceOrder = (parts: ReadonlySet<Part>): ReadonlyArray<Part> =>
  [...parts].sort((a, b) => a.node.range[0] - b.node.range[0])

const idOfPart = (module: SourceModule, { names }: Part): string =>
  `${module.path}#${names.length === 0 ? "statements" : names.join(",")}`

export const hashed = (graph: ModuleGraph, reached: Reached): HashedDeclarations => {
  const images = [...preImagesOf(graph, reached)].sort(([a], [b]) => (a < b ? -1 : 1))
  const lines = new Map<string, number>()
  for (const [module, parts] of reached.modules) {
    for (const part of [...inSourceOrder(parts)].reverse()) {
      lines.set(idOfPart(module, part), lineOf(module.source, part.node.range[0]))
    }
  }
  return {
    declarations: Object.fromEntries(images.map(([id, image]) => [id, digestOf(image)])),
    lines: Object.fromEntries(images.map(([id]) => [id, lines.get(id) ?? 1]))
  }
}
