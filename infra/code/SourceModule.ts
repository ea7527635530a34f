/**
 * One module, taken apart: its top-level statements, the declarations among them, what it imports and exports
 * under which names. Knows nothing of other modules.
 */
import { CodeRefused, CodeRefusedAt } from "./CodeRefused.ts"
import type { Syntax } from "./erasure.ts"
import type { Parse } from "./parsing.ts"
import { type Registry, registryOf } from "./registries.ts"

/** A declaration, or a statement that acts when the module is evaluated. */
export interface Part {
  /** The names it binds; none for a statement that only acts. */
  readonly names: ReadonlyArray<string>
  readonly node: Syntax
  readonly registry: Registry | undefined
}

/** A top-level statement with code of its own: `const a = 1, b = 2` has two parts. */
export interface Statement {
  readonly range: Syntax["range"]
  readonly parts: ReadonlyArray<Part>
}

export interface Imported {
  readonly specifier: string
  /** A name, `default`, or `*` for the module as a whole. */
  readonly name: string
  readonly offset: number
}

export type Exported =
  | { readonly _tag: "Local"; readonly name: string }
  | { readonly _tag: "From"; readonly imported: Imported }

/** A module named by another one. */
export interface Mention {
  readonly specifier: string
  readonly offset: number
}

export interface SourceModule {
  /** From the root, with `/`. */
  readonly path: string
  readonly source: string
  readonly statements: ReadonlyArray<Statement>
  /** Imports and lists of exports: they bind, and do nothing by themselves. */
  readonly links: ReadonlyArray<Syntax>
  /** The top-level statements that only types needed. */
  readonly gone: ReadonlyArray<Syntax["range"]>
  readonly bindings: ReadonlyMap<Syntax, string>
  /** The parts that declare a name. */
  readonly declared: ReadonlyMap<string, ReadonlyArray<Part>>
  readonly imports: ReadonlyMap<string, Imported>
  readonly exports: ReadonlyMap<string, Exported>
  /** `export * from`. */
  readonly stars: ReadonlyArray<Mention>
  /** What is evaluated before this one; `isBare`: for what it does, not for what it exports. */
  readonly evaluated: ReadonlyArray<Mention & { readonly isBare: boolean }>
}

/** What `export default` binds where the declaration has no name of its own. */
export const defaultName = "default"

/** Of an identifier, or of a string in its place (`export { a as "b c" }`). */
export const nameOf = (node: unknown): string => {
  const { name, value } = node as { readonly name?: string; readonly value?: unknown }
  return name ?? String(value)
}

export const lineOf = (source: string, offset: number): number => source.slice(0, offset).split("\n").length

const list = (value: unknown): ReadonlyArray<Syntax> => value as ReadonlyArray<Syntax>

const isLink = ({ declaration, type }: Syntax): boolean =>
  type === "ImportDeclaration" ||
  type === "ExportAllDeclaration" ||
  (type === "ExportNamedDeclaration" && declaration === null)

/** `export const a = 1` → `const a = 1` */
const insideExport = (node: Syntax): Syntax =>
  node.type === "ExportNamedDeclaration" || node.type === "ExportDefaultDeclaration"
    ? (node.declaration as Syntax)
    : node

const namesDeclaredIn = (
  { range: [start, end] }: Syntax,
  declarations: ReadonlyMap<string, ReadonlyArray<Syntax>>
): ReadonlyArray<string> =>
  [...declarations].flatMap(([name, nodes]) =>
    nodes.some(({ range }) => range[0] >= start && range[1] <= end) ? [name] : []
  )

const isDeclaration = ({ type }: Syntax): boolean =>
  type === "VariableDeclaration" || type === "FunctionDeclaration" || type === "ClassDeclaration"

const partsOf = (node: Syntax, namesIn: (node: Syntax) => ReadonlyArray<string>): ReadonlyArray<Part> => {
  const inner = insideExport(node)
  if (inner.type === "VariableDeclaration") {
    return list(inner.declarations).map((declarator) => ({
      names: namesIn(declarator.id as Syntax),
      node: { ...inner, declarations: [declarator], range: declarator.range },
      registry: registryOf(inner.kind, declarator)
    }))
  }
  const isDefault = node.type === "ExportDefaultDeclaration"
  if (!isDefault && !isDeclaration(inner)) return [{ names: [], node, registry: undefined }]
  const isNamed = isDeclaration(inner) && inner.id !== null
  return [{ names: [isNamed ? nameOf(inner.id) : defaultName], node: inner, registry: undefined }]
}

const importsOf = (node: Syntax): ReadonlyArray<readonly [string, Imported]> => {
  const specifier = nameOf(node.source)
  return list(node.specifiers).map((one) => {
    const name =
      one.type === "ImportSpecifier"
        ? nameOf(one.imported)
        : one.type === "ImportDefaultSpecifier"
          ? "default"
          : "*"
    return [nameOf(one.local), { specifier, name, offset: one.range[0] }]
  })
}

const exportsOf = (node: Syntax, parts: ReadonlyArray<Part>): ReadonlyArray<readonly [string, Exported]> => {
  if (node.type === "ExportDefaultDeclaration")
    return [["default", { _tag: "Local", name: parts[0]!.names[0]! }]]
  if (node.type === "ExportAllDeclaration") {
    if (node.exported === null) return []
    const imported = { specifier: nameOf(node.source), name: "*", offset: node.range[0] }
    return [[nameOf(node.exported), { _tag: "From", imported }]]
  }
  if (node.type !== "ExportNamedDeclaration") return []
  const declared = parts.flatMap(({ names }) => names)
  return [
    ...declared.map((name) => [name, { _tag: "Local", name }] as const),
    ...list(node.specifiers).map((one): readonly [string, Exported] => {
      const name = nameOf(one.local)
      if (node.source === null) return [nameOf(one.exported), { _tag: "Local", name }]
      const imported = { specifier: nameOf(node.source), name, offset: one.range[0] }
      return [nameOf(one.exported), { _tag: "From", imported }]
    })
  ]
}

/** `import "./acts.ts"` */
const isBareImport = ({ specifiers, type }: Syntax): boolean =>
  type === "ImportDeclaration" && list(specifiers).length === 0

const mentionOf = (node: Syntax): Mention => ({ specifier: nameOf(node.source), offset: node.range[0] })

/** Throws `CodeRefusedAt`. */
export const readModule = (path: string, source: string, parse: Parse): SourceModule => {
  const { bindings, declarations, gone, program } = refusedAt(path, source, () => parse(path, source))
  const nodes = list(program.body)
  const links = nodes.filter(isLink)
  const namesIn = (node: Syntax) => namesDeclaredIn(node, declarations)
  const made = nodes.map((node) => ({ node, parts: isLink(node) ? [] : partsOf(node, namesIn) }))
  const statements = made.filter(({ node }) => !isLink(node))
  const parts = statements.flatMap((statement) => statement.parts)
  const declared = new Map<string, Array<Part>>()
  const declare = (name: string, part: Part) => declared.set(name, [...(declared.get(name) ?? []), part])
  for (const part of parts) {
    // `for (var i …)` and `if (x) { var y }` declare in passing.
    for (const name of part.names.length > 0 ? part.names : namesIn(part.node)) declare(name, part)
  }
  return {
    path,
    source,
    statements: statements.map(({ node, parts }) => ({ range: node.range, parts })),
    links,
    gone,
    bindings,
    declared,
    imports: new Map(links.filter(({ type }) => type === "ImportDeclaration").flatMap(importsOf)),
    exports: new Map(made.flatMap(({ node, parts }) => exportsOf(node, parts))),
    stars: links
      .filter(({ exported, type }) => type === "ExportAllDeclaration" && exported === null)
      .map(mentionOf),
    evaluated: links
      .filter(({ source: from }) => from != null)
      .map((node) => ({ ...mentionOf(node), isBare: isBareImport(node) }))
  }
}

/** Adds file and line to what is refused inside. */
export const refusedAt = <A>(path: string, source: string, use: () => A): A => {
  try {
    return use()
  } catch (error) {
    if (!(error instanceof CodeRefused)) throw error
    throw new CodeRefusedAt(`${path}:${lineOf(source, error.offset)}: ${error.message}`)
  }
}
