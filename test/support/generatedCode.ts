/**
 * Code made at random, of which it is known by construction what reaches what: the oracle for closures. Every
 * module holds declarations of the kinds that real code has, each using some of those made before it.
 */
import type { RandomStream } from "../../lib/tensor/random.ts"

export interface GeneratedDeclaration {
  /** `code/m03.ts#d1`, as closures name it. */
  readonly id: string
  readonly path: string
  readonly name: string
  /** 1-based line on which it begins. */
  readonly line: number
  /** Ids of the declarations it uses. */
  readonly uses: ReadonlyArray<string>
  /** Packages it uses. */
  readonly packages: ReadonlyArray<string>
  /** Text that stands once in its module, and what a mutation puts in its place. */
  readonly literal: string
  readonly mutated: string
}

export interface GeneratedCode {
  /** Text by path. */
  readonly modules: { readonly [path: string]: string }
  readonly declarations: ReadonlyArray<GeneratedDeclaration>
}

type Kind = (name: string, literal: string, calls: string) => string

/** A line each, so that a declaration's line is known. The literal is a number that stands nowhere else. */
const kinds: ReadonlyArray<Kind> = [
  (name, literal, calls) => `export const ${name} = (n: number): number => n + ${literal}${calls}`,
  (name, literal, calls) => `export function ${name}(n: number): number { return n * ${literal}${calls} }`,
  (name, literal, calls) =>
    `export const ${name} = ((n: number) => Schema.decodeSync(Schema.Number)(n - ${literal}${calls}))`,
  (name, literal, calls) =>
    `export const ${name} = (n: number): number => Effect.runSync(Effect.succeed(n + ${literal}${calls}))`
]

const pathOf = (module: number): string => `code/m${String(module).padStart(2, "0")}.ts`

const moduleText = (own: ReadonlyArray<GeneratedDeclaration>, lines: ReadonlyArray<string>): string => {
  const wanted = new Map<string, Set<string>>()
  for (const use of own.flatMap(({ uses }) => uses)) {
    const [path = "", name = ""] = use.split("#")
    if (path !== own[0]!.path) wanted.set(path, (wanted.get(path) ?? new Set()).add(name))
  }
  const named = (path: string, name: string) => `${name} as ${alias(`${path}#${name}`)}`
  const imports = [...wanted].map(
    ([path, names]) =>
      `import { ${[...names].map((name) => named(path, name)).join(", ")} } from "./${path.slice(5)}"`
  )
  const packages = [...new Set(own.flatMap((one) => one.packages))]
  // On one line, so that the declarations' lines do not depend on what is imported.
  const head = [
    'import { Effect, Schema } from "effect"',
    ...packages.map((name) => `import { value as ${name} } from "${name}"`),
    ...imports
  ]
  return [head.join("; "), ...lines, ""].join("\n")
}

const alias = (id: string): string => id.replace(/^code\//, "").replace(".ts#", "_")

/** `packages` are names that may be imported; each exports a number `value`. */
export const generateCode = (
  random: RandomStream,
  numModules: number,
  packages: ReadonlyArray<string>
): GeneratedCode => {
  const declarations: Array<GeneratedDeclaration> = []
  const modules: Record<string, string> = {}
  const pick = <A>(from: ReadonlyArray<A>): A => from[random.below(from.length)]!
  for (let module = 0; module < numModules; module++) {
    const path = pathOf(module)
    const own: Array<GeneratedDeclaration> = []
    const lines: Array<string> = []
    for (let number = 0; number < 4; number++) {
      const name = `d${number}`
      const uses = new Set<string>()
      for (let use = random.below(3); use > 0 && declarations.length > 0; use--)
        uses.add(pick(declarations).id)
      const used = random.below(4) === 0 ? [pick(packages)] : []
      const literal = String(1000 + declarations.length)
      const calls = [...uses].map((id) => ` + ${id.startsWith(path) ? id.split("#")[1] : alias(id)}(n)`)
      const text = pick(kinds)(name, literal, [...calls, ...used.map((one) => ` + ${one}`)].join(""))
      lines.push(`/** ${name} of ${path}. */`, text)
      const line = 1 + lines.length
      const made = { id: `${path}#${name}`, path, name, line, uses: [...uses], packages: used, literal }
      own.push({ ...made, mutated: `${literal}5` })
      declarations.push(own.at(-1)!)
    }
    modules[path] = moduleText(own, lines)
  }
  return { modules, declarations }
}

/** What is reached from these declarations, themselves included. */
export const reachedFrom = (
  code: GeneratedCode,
  roots: ReadonlyArray<string>
): ReadonlyArray<GeneratedDeclaration> => {
  const byId = new Map(code.declarations.map((one) => [one.id, one]))
  const seen = new Set<string>()
  const visit = (id: string): void => {
    if (seen.has(id)) return
    seen.add(id)
    for (const use of byId.get(id)!.uses) visit(use)
  }
  for (const root of roots) visit(root)
  return [...seen].map((id) => byId.get(id)!)
}
