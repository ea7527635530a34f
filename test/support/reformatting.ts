/** Writes a module down in another way that means the same: comments, quotes, parentheses, semicolons. */
import { childrenOf, isSyntax, type Syntax } from "../../infra/code/erasure.ts"
import { loadParser } from "../../infra/code/parsing.ts"

const parse = await loadParser()

/** A small generator of numbers from 0 up to `n`, so that a failure can be repeated. */
const drawsFrom = (seed: number) => {
  let state = seed >>> 0 || 1
  return (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
}

/** Where an expression may stand in parentheses. */
const parenthesised: { readonly [type: string]: ReadonlyArray<string> } = {
  VariableDeclarator: ["init"],
  CallExpression: ["arguments"],
  ArrayExpression: ["elements"],
  BinaryExpression: ["left", "right"],
  LogicalExpression: ["left", "right"],
  ConditionalExpression: ["test", "consequent", "alternate"],
  ReturnStatement: ["argument"],
  AssignmentExpression: ["right"],
  ArrowFunctionExpression: ["body"]
}

interface Insertion {
  readonly at: number
  readonly text: string
}

const isExpression = ({ type }: Syntax): boolean =>
  !["BlockStatement", "SpreadElement", "PrivateIdentifier"].includes(type)

const expressionsIn = (node: Syntax): ReadonlyArray<Syntax> =>
  (parenthesised[node.type] ?? []).flatMap((field) => {
    const value = node[field]
    return (Array.isArray(value) ? value : [value]).filter(isSyntax).filter(isExpression)
  })

const noise = [" ", "  ", "/* why */", " /* a * b */ "]
const beforeStatement = ["\n", "\n\n", "// why not\n", "/**\n * Documented.\n */\n", ";\n"]
const isStatement = ({ type }: Syntax): boolean =>
  /(Statement|Declaration)$/.test(type) && type !== "BlockStatement"

const requoted = (source: string, { range }: Syntax): string | undefined => {
  const text = source.slice(...range)
  return /^"[^"'\\\n]*"$/.test(text) ? `'${text.slice(1, -1)}'` : undefined
}

/** The same module for whoever reads its tree. `seed` decides how it looks. */
export const reformatted = (path: string, source: string, seed: number): string => {
  const draw = drawsFrom(seed)
  const insertions: Array<Insertion> = []
  const quotes: Array<Syntax> = []
  const starts = new Set<number>()
  const wrap = ({ range: [start, end] }: Syntax): void => {
    // A line that begins with a parenthesis would go on with the statement before it.
    if (draw(3) !== 0 || starts.has(start)) return
    insertions.push({ at: start, text: `(${noise[draw(noise.length)]}` }, { at: end, text: ")" })
  }
  const statements = (nodes: unknown): void => {
    for (const node of (nodes as ReadonlyArray<Syntax>).filter(isStatement)) {
      starts.add(node.range[0])
      if (draw(2) === 0) {
        insertions.push({ at: node.range[0], text: beforeStatement[draw(beforeStatement.length)]! })
      }
    }
  }
  const visit = (node: Syntax): void => {
    if (node.type === "Program" || node.type === "BlockStatement") statements(node.body)
    for (const expression of expressionsIn(node)) wrap(expression)
    if (node.type === "Literal" && requoted(source, node) !== undefined && draw(2) === 0) quotes.push(node)
    childrenOf(node).forEach(visit)
  }
  visit(parse(path, source).program)
  const written = quotes.reduce((text, node) => {
    const [start, end] = node.range
    return text.slice(0, start) + requoted(source, node)! + text.slice(end)
  }, source)
  // From the end, so that offsets stay true.
  return insertions
    .sort((a, b) => b.at - a.at)
    .reduce((text, { at, text: inserted }) => text.slice(0, at) + inserted + text.slice(at), written)
}
