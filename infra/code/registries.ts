/**
 * A registry: a module-level record of name → `() => import("literal")`. A job follows only the entries that
 * it names, so a new entry, or another order of them, moves nobody's key.
 */
import { isSyntax, type Syntax } from "./erasure.ts"

export interface RegistryEntry {
  readonly specifier: string
  /** Of the function that loads it. */
  readonly range: Syntax["range"]
}

export type Registry = ReadonlyMap<string, RegistryEntry>

/** The text of a string literal or of a template without holes. */
export const literalText = (node: unknown): string | undefined => {
  if (!isSyntax(node)) return undefined
  if (node.type === "Literal") return typeof node.value === "string" ? node.value : undefined
  if (node.type !== "TemplateLiteral" || (node.expressions as ReadonlyArray<unknown>).length > 0)
    return undefined
  const [quasi] = node.quasis as ReadonlyArray<{ readonly value: { readonly cooked: string | null } }>
  return quasi!.value.cooked ?? undefined
}

/** Of a property, method or field whose name stands there as it is: `a`, `"a"` or `1`. */
export const staticKey = ({ computed, key }: Syntax): string | undefined => {
  if (computed === true || !isSyntax(key)) return undefined
  if (key.type === "Identifier") return key.name as string
  return key.type === "Literal" ? String(key.bigint ?? key.value) : undefined
}

const entryOf = (property: Syntax): readonly [string, RegistryEntry] | undefined => {
  const key = property.type === "Property" && property.kind === "init" ? staticKey(property) : undefined
  const load = property.value
  if (key === undefined || !isSyntax(load) || load.type !== "ArrowFunctionExpression") return undefined
  const body = load.body as Syntax
  if (body.type !== "ImportExpression" || (load.params as ReadonlyArray<unknown>).length > 0) return undefined
  const specifier = literalText(body.source)
  return specifier === undefined ? undefined : [key, { specifier, range: load.range }]
}

/** What a declarator declares, if it is one. */
export const registryOf = (kind: unknown, { id, init }: Syntax): Registry | undefined => {
  if (kind !== "const" || (id as Syntax).type !== "Identifier") return undefined
  if (!isSyntax(init) || init.type !== "ObjectExpression") return undefined
  const entries = (init.properties as ReadonlyArray<Syntax>).map(entryOf)
  const isOne = entries.length > 0 && entries.every((entry) => entry !== undefined)
  return isOne ? new Map(entries as ReadonlyArray<readonly [string, RegistryEntry]>) : undefined
}
