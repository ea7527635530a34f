/** What a piece of code refers to beyond itself: names of its module, and modules it loads when it runs. */
import { CodeRefused } from "./CodeRefused.ts"
import { childrenOf, isSyntax, type Syntax } from "./erasure.ts"
import { literalText, staticKey } from "./registries.ts"

/** How a name is used: one member of it, a member chosen at run time, or otherwise. */
export type Access =
  | { readonly _tag: "Member"; readonly name: string }
  | { readonly _tag: "SomeMember" }
  | { readonly _tag: "Whole" }

export type Use =
  | { readonly _tag: "Name"; readonly name: string; readonly access: Access; readonly offset: number }
  | { readonly _tag: "Load"; readonly specifier: string; readonly offset: number }

const whole: Access = { _tag: "Whole" }

/** The member that an expression takes of its object, if it says so in the source. */
export const memberOf = (node: Syntax): string | undefined =>
  node.computed === true ? literalText(node.property) : staticKey({ ...node, key: node.property })

const accessOf = (node: Syntax): Access => {
  const name = memberOf(node)
  return name === undefined ? { _tag: "SomeMember" } : { _tag: "Member", name }
}

const madeAtRunTime = "an import() whose path is made at run time cannot be hashed; write the paths out"

/** `import(…)` and `require(…)`: what is loaded, `undefined` for any other node. */
const loadedBy = (node: Syntax): { readonly source: unknown } | undefined => {
  if (node.type === "ImportExpression") return { source: node.source }
  const callee = node.callee as Syntax | undefined
  const isRequire =
    node.type === "CallExpression" && callee!.type === "Identifier" && callee!.name === "require"
  return isRequire ? { source: (node.arguments as ReadonlyArray<Syntax>)[0] } : undefined
}

const isGlob = ({ callee, type }: Syntax): boolean =>
  type === "CallExpression" &&
  (callee as Syntax).type === "MemberExpression" &&
  ((callee as Syntax).object as Syntax).type === "MetaProperty" &&
  memberOf(callee as Syntax) === "glob"

/** Throws `CodeRefused` for an import whose path is not a literal. */
export const usesOf = (root: Syntax, bindings: ReadonlyMap<Syntax, string>): ReadonlyArray<Use> => {
  const found: Array<Use> = []
  const name = (node: unknown, access: Access): boolean => {
    const bound = isSyntax(node) ? bindings.get(node) : undefined
    if (bound !== undefined)
      found.push({ _tag: "Name", name: bound, access, offset: (node as Syntax).range[0] })
    return bound !== undefined
  }
  const visit = (node: Syntax): void => {
    const [offset] = node.range
    const loaded = loadedBy(node)
    if (loaded !== undefined) {
      const specifier = literalText(loaded.source)
      if (specifier === undefined) throw new CodeRefused(offset, madeAtRunTime)
      found.push({ _tag: "Load", specifier, offset })
    }
    if (isGlob(node)) throw new CodeRefused(offset, madeAtRunTime)
    if (node.type === "MemberExpression" && name(node.object, accessOf(node))) {
      if (node.computed === true) visit(node.property as Syntax)
      return
    }
    if (!name(node, whole)) childrenOf(node).forEach(visit)
  }
  visit(root)
  return found
}
