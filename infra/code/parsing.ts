/**
 * The parser and the scope analysis, loaded when some code has to be analysed: a plan that knows its code
 * already loads neither.
 */
import type { Program } from "estree"
import { CodeRefused } from "./CodeRefused.ts"
import { erase, type Syntax } from "./erasure.ts"

export interface Parsed {
  /** Types erased. */
  readonly program: Syntax
  /** The top-level statements that only types needed. */
  readonly gone: ReadonlyArray<Syntax["range"]>
  /** Every identifier that stands for a name of the module's own scope, and that name. */
  readonly bindings: ReadonlyMap<Syntax, string>
  /** The nodes that declare each name of the module's own scope; imports are among them. */
  readonly declarations: ReadonlyMap<string, ReadonlyArray<Syntax>>
}

/** Throws `CodeRefused`. */
export type Parse = (path: string, source: string) => Parsed

const languageOf = (path: string): "js" | "ts" => (/\.[cm]?js$/.test(path) ? "js" : "ts")

export const loadParser = async (): Promise<Parse> => {
  const [{ parseSync }, { analyze }] = await Promise.all([import("oxc-parser"), import("eslint-scope")])
  return (path, source) => {
    const { errors, program: parsed } = parseSync(path, source, {
      lang: languageOf(path),
      sourceType: "module",
      range: true,
      preserveParens: false
    })
    const [error] = errors
    if (error !== undefined) throw new CodeRefused(error.labels[0]?.start ?? 0, error.message)
    const { gone, program } = erase(parsed)
    const scopes = analyze(program as unknown as Program, { ecmaVersion: 2024, sourceType: "module" })
    const moduleScope = scopes.globalScope!.childScopes[0]!
    const bindings = new Map<Syntax, string>()
    const declarations = new Map<string, ReadonlyArray<Syntax>>()
    for (const { defs, name, references } of moduleScope.variables) {
      for (const { identifier } of references) bindings.set(identifier as unknown as Syntax, name)
      declarations.set(
        name,
        defs.map((definition) => definition.name as unknown as Syntax)
      )
    }
    return { program, gone, bindings, declarations }
  }
}
