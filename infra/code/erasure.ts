/**
 * From the parser's tree to plain ECMAScript: what only types need is gone, and so is what only formatting
 * needs. A node keeps the fields that the grammar gives it and its `range`, nothing else.
 */
import { CodeRefused } from "./CodeRefused.ts"

/** A node of ESTree; its fields are as in `fieldsOf`. */
export interface Syntax {
  readonly type: string
  /** Offsets into the source, from and up to. */
  readonly range: readonly [start: number, end: number]
  readonly [field: string]: unknown
}

export const isSyntax = (value: unknown): value is Syntax =>
  typeof value === "object" &&
  value !== null &&
  typeof (value as { readonly type?: unknown }).type === "string"

const fieldTable = `
  Program body
  ExpressionStatement expression
  BlockStatement body
  DebuggerStatement
  WithStatement object body
  ReturnStatement argument
  LabeledStatement label body
  BreakStatement label
  ContinueStatement label
  IfStatement test consequent alternate
  SwitchStatement discriminant cases
  SwitchCase test consequent
  ThrowStatement argument
  TryStatement block handler finalizer
  CatchClause param body
  WhileStatement test body
  DoWhileStatement body test
  ForStatement init test update body
  ForInStatement left right body
  ForOfStatement await left right body
  FunctionDeclaration async generator id params body
  VariableDeclaration kind declarations
  VariableDeclarator id init
  ThisExpression
  Super
  ArrayExpression elements
  ObjectExpression properties
  Property kind computed method key value
  FunctionExpression async generator id params body
  ArrowFunctionExpression async expression params body
  UnaryExpression operator prefix argument
  UpdateExpression operator prefix argument
  BinaryExpression operator left right
  AssignmentExpression operator left right
  LogicalExpression operator left right
  MemberExpression computed optional object property
  ConditionalExpression test consequent alternate
  CallExpression optional callee arguments
  NewExpression callee arguments
  SequenceExpression expressions
  SpreadElement argument
  TemplateLiteral quasis expressions
  TaggedTemplateExpression tag quasi
  TemplateElement value tail
  ObjectPattern properties
  ArrayPattern elements
  RestElement argument
  AssignmentPattern left right
  ClassDeclaration id superClass body
  ClassExpression id superClass body
  ClassBody body
  MethodDefinition kind computed static key value
  PropertyDefinition computed static key value
  StaticBlock body
  PrivateIdentifier name
  MetaProperty meta property
  ImportExpression source options
  AwaitExpression argument
  YieldExpression delegate argument
  ChainExpression expression
  Identifier name
  Literal value bigint regex
  ImportDeclaration specifiers source
  ImportSpecifier imported local
  ImportDefaultSpecifier local
  ImportNamespaceSpecifier local
  ExportNamedDeclaration declaration specifiers source
  ExportDefaultDeclaration declaration
  ExportAllDeclaration exported source
  ExportSpecifier local exported
`

/** The fields of each type of node, in the order in which they are visited. */
const fieldsOf: ReadonlyMap<string, ReadonlyArray<string>> = new Map(
  fieldTable
    .trim()
    .split("\n")
    .map((line) => {
      const [type, ...fields] = line.trim().split(" ")
      return [type!, fields] as const
    })
)

/** Expressions that only tell the checker something of the one inside. */
const transparent = new Set([
  "TSAsExpression",
  "TSSatisfiesExpression",
  "TSNonNullExpression",
  "TSTypeAssertion",
  "TSInstantiationExpression",
  "ParenthesizedExpression"
])

/** What leaves nothing behind at run time. */
const typesOnly = new Set([
  "EmptyStatement",
  "TSInterfaceDeclaration",
  "TSTypeAliasDeclaration",
  "TSDeclareFunction",
  "TSEmptyBodyFunctionExpression",
  "TSAbstractMethodDefinition",
  "TSAbstractPropertyDefinition",
  "TSIndexSignature",
  "TSNamespaceExportDeclaration"
])

const refusals: { readonly [type: string]: string } = {
  TSEnumDeclaration: "an enum does not go away with the types; write an object `as const`",
  TSModuleDeclaration: "a namespace does not go away with the types; write a module",
  TSParameterProperty: "a parameter property does not go away with the types; write the field out",
  TSImportEqualsDeclaration: "`import … = …` does not go away with the types; write an import",
  TSExportAssignment: "`export =` does not go away with the types; write `export default`",
  Decorator: "decorators are not part of the language yet; call the function"
}

const isTypesOnly = (node: Syntax): boolean =>
  typesOnly.has(node.type) ||
  node.declare === true ||
  node.importKind === "type" ||
  node.exportKind === "type" ||
  (node.type === "MethodDefinition" && (node.value as Syntax).type === "TSEmptyBodyFunctionExpression") ||
  (node.type === "Identifier" && node.name === "this")

/** An `import { type A }` or `export { type A }` alone; a bare `import "./x"` and `export {}` stay. */
const namesTypesOnly = (node: Syntax): boolean => {
  const { specifiers } = node
  return (
    Array.isArray(specifiers) &&
    specifiers.length > 0 &&
    specifiers.every((one: Syntax) => one.importKind === "type" || one.exportKind === "type")
  )
}

const lineFeeds = (text: string): string => text.replace(/\r\n?/g, "\n")

const erasedField = (value: unknown): unknown => {
  if (Array.isArray(value)) {
    return value.flatMap((item): ReadonlyArray<unknown> => (isSyntax(item) ? erasedItem(item) : [item]))
  }
  return isSyntax(value) ? (erasedItem(value)[0] ?? null) : value
}

const erasedItem = (node: Syntax): ReadonlyArray<Syntax> => {
  if (isTypesOnly(node) || namesTypesOnly(node)) return []
  if (transparent.has(node.type)) return erasedItem(node.expression as Syntax)
  const fields = fieldsOf.get(node.type)
  if (fields === undefined || (node.decorators as ReadonlyArray<Syntax> | undefined)?.[0] !== undefined) {
    const type = fields === undefined ? node.type : "Decorator"
    throw new CodeRefused(
      node.range[0],
      refusals[type] ?? `${type} is no part of the language that is hashed`
    )
  }
  const erased: Record<string, unknown> = { type: node.type, range: node.range }
  for (const field of fields) erased[field] = erasedField(node[field]) ?? null
  if (node.type === "TemplateElement") {
    const { cooked, raw } = node.value as { readonly cooked: string | null; readonly raw: string }
    erased.value = { cooked: cooked === null ? null : lineFeeds(cooked), raw: lineFeeds(raw) }
  }
  // `export interface A {}` and `export default interface A {}`: the declaration was all there was.
  const isHollow =
    (node.type === "ExportNamedDeclaration" || node.type === "ExportDefaultDeclaration") &&
    isSyntax(node.declaration) &&
    erased.declaration === null
  return isHollow ? [] : [erased as unknown as Syntax]
}

export interface Erased {
  readonly program: Syntax
  /** The top-level statements of which nothing is left. */
  readonly gone: ReadonlyArray<Syntax["range"]>
}

/** Throws `CodeRefused` for what stays at run time and is not ECMAScript. */
export const erase = (parsed: unknown): Erased => {
  const { body, range } = parsed as { readonly body: ReadonlyArray<Syntax>; readonly range: Syntax["range"] }
  const erased = body.map((node) => ({ range: node.range, left: erasedItem(node) }))
  return {
    program: { type: "Program", range, body: erased.flatMap(({ left }) => left), sourceType: "module" },
    gone: erased.flatMap((one) => (one.left.length === 0 ? [one.range] : []))
  }
}

/** The nodes right below one, in source order. */
export const childrenOf = (node: Syntax): ReadonlyArray<Syntax> =>
  fieldsOf.get(node.type)!.flatMap((field) => {
    const value = node[field]
    if (Array.isArray(value)) return value.filter(isSyntax)
    return isSyntax(value) ? [value] : []
  })
