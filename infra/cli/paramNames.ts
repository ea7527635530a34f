/** Which params a stage's schema knows, also those that are left out where they have their usual value. */
import { type Schema, SchemaAST } from "effect"

type Value = Schema.Json | undefined

const isObject = (value: Value): value is Schema.JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether a struct is meant: none of its literals (`family`, `kind`, `_tag`) is another one in `value`. */
const isMeant = ({ propertySignatures }: SchemaAST.Objects, value: Value): boolean =>
  propertySignatures.every(({ name, type }) => {
    const given = isObject(value) ? value[String(name)] : undefined
    return given === undefined || !SchemaAST.isLiteral(type) || type.literal === given
  })

/** The structs that a schema stands for, where the params at its place are `value`. */
const structsOf = (ast: SchemaAST.AST, value: Value): ReadonlyArray<SchemaAST.Objects> => {
  if (SchemaAST.isUnion(ast)) return ast.types.flatMap((type) => structsOf(type, value))
  return SchemaAST.isObjects(ast) && isMeant(ast, value) ? [ast] : []
}

export interface UnknownParam {
  readonly part: string
  /** Where it was looked for. */
  readonly within: ReadonlyArray<string>
  /** What there is. */
  readonly known: ReadonlyArray<string>
}

/** The first part of the path that the schema has no param for; `undefined` where it knows them all. */
export const unknownParam = (
  schema: Schema.Top,
  params: Schema.JsonObject,
  path: ReadonlyArray<string>
): UnknownParam | undefined => {
  let level: { readonly asts: ReadonlyArray<SchemaAST.AST>; readonly value: Value } = {
    asts: [schema.ast],
    value: params
  }
  for (const [depth, part] of path.entries()) {
    const { asts, value } = level
    const structs = asts.flatMap((ast) => structsOf(ast, value))
    if (structs.length === 0 || structs.some(({ indexSignatures }) => indexSignatures.length > 0))
      return undefined
    const properties = structs.flatMap(({ propertySignatures }) => propertySignatures)
    const found = properties.filter(({ name }) => name === part)
    const known = [...new Set(properties.map(({ name }) => String(name)))]
    if (found.length === 0) return { part, within: path.slice(0, depth), known }
    level = { asts: found.map(({ type }) => type), value: isObject(value) ? value[part] : undefined }
  }
  return undefined
}
