/** Finds the stages that a module and those it imports by relative paths define. Brings the parser along. */
import { basename, dirname, join } from "node:path"
import type { Digest } from "../../lib/storage/Digest.ts"
import { digestOf } from "../hashing.ts"
import { childrenOf, isSyntax, type Syntax } from "./erasure.ts"
import { ModuleGraph } from "./ModuleGraph.ts"
import { loadParser } from "./parsing.ts"
import { literalText, staticKey } from "./registries.ts"
import { readIfPresent } from "./SourceDigests.ts"
import type { SourceModule } from "./SourceModule.ts"
import type { FoundStage } from "./userStages.ts"

/** `() => import("./body.ts")` → `./body.ts` */
const loadedBy = (node: unknown): string | undefined => {
  if (!isSyntax(node) || node.type !== "ArrowFunctionExpression") return undefined
  const body = node.body as Syntax
  return body.type === "ImportExpression" ? literalText(body.source) : undefined
}

/** `Stage.make("name", { run: () => import("./body.ts") })` → name and `./body.ts` */
const stageIn = (node: Syntax): readonly [name: string, body: string] | undefined => {
  if (node.type !== "CallExpression") return undefined
  const [first, second] = node.arguments as ReadonlyArray<Syntax>
  const name = literalText(first)
  if (name === undefined || second?.type !== "ObjectExpression") return undefined
  const properties = second.properties as ReadonlyArray<Syntax>
  const run = properties.find((one) => one.type === "Property" && staticKey(one) === "run")
  const body = run === undefined ? undefined : loadedBy(run.value)
  return body === undefined ? undefined : [name, body]
}

const stagesOf = (folder: string, { path, statements }: SourceModule): ReadonlyArray<FoundStage> => {
  const contract = join(folder, path)
  const visit = (node: Syntax): ReadonlyArray<FoundStage> => {
    const found = stageIn(node)
    if (found === undefined) return childrenOf(node).flatMap(visit)
    const [name, body] = found
    return [{ name, contract, body: join(dirname(contract), body) }]
  }
  return statements.flatMap(({ parts }) => parts.flatMap(({ node }) => visit(node)))
}

export interface Scanned {
  readonly files: { readonly [file: string]: Digest }
  readonly stages: ReadonlyArray<FoundStage>
}

/** Rejects with an error that names file and line of what cannot be parsed or is not there. */
export const stagesBelow = async (pipelineFile: string): Promise<Scanned> => {
  const folder = dirname(pipelineFile)
  const read = (path: string) => readIfPresent(join(folder, path))?.toString("utf8")
  const graph = new ModuleGraph({ read, isEngine: () => false }, await loadParser())
  const seen = new Map<string, SourceModule>()
  const visit = (path: string): void => {
    const module = graph.module(path)
    if (module === undefined || seen.has(path)) return
    seen.set(path, module)
    for (const { offset, specifier } of module.evaluated) {
      const place = graph.place(module, specifier, offset)
      if (place._tag === "Own") visit(place.path)
    }
  }
  visit(basename(pipelineFile))
  const modules = [...seen.values()]
  return {
    files: Object.fromEntries(modules.map(({ path, source }) => [join(folder, path), digestOf(source)])),
    stages: modules.flatMap((module) => stagesOf(folder, module))
  }
}
