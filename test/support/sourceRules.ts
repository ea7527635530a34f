/**
 * The rules of the architecture as functions from a source file to what is wrong with it, in words to act on.
 */
import { dirname, join, normalize } from "node:path"
import ts from "typescript"

interface ImportRule {
  readonly from: string
  readonly own: ReadonlyArray<string>
  readonly packages: ReadonlyArray<string>
}

/** First matching prefix wins. A name that ends in `/` or `:` stands for all that begins so. */
const importRules: ReadonlyArray<ImportRule> = [
  {
    from: "pipelines/",
    own: ["pipelines/", "stages/", "lib/workflow/", "lib/data/", "lib/storage/", "lib/train/"],
    packages: ["effect"]
  },
  { from: "stages/artifacts.ts", own: ["lib/"], packages: ["effect"] },
  {
    from: "stages/",
    own: ["stages/artifacts.ts", "stages/preparing-keeper.ts", "stages/trained-weights.ts", "lib/"],
    packages: ["effect"]
  },
  { from: "lib/workflow/", own: ["lib/workflow/", "lib/storage/"], packages: ["effect"] },
  { from: "lib/storage/", own: ["lib/storage/"], packages: ["effect"] },
  { from: "lib/tensor/tf.ts", own: [], packages: ["@tensorflow/tfjs"] },
  { from: "lib/tensor/", own: ["lib/tensor/"], packages: ["effect"] },
  {
    from: "lib/",
    own: [
      ...["boxes", "data", "export", "losses", "metrics", "models", "nn", "storage", "tensor", "train"],
      "charts"
    ].map((d) => `lib/${d}/`),
    packages: ["effect", "echarts", "fast-xml-parser", "vega", "vega-lite"]
  },
  {
    from: "infra/cli/",
    own: ["infra/", "lib/", "pipelines/", "stages/", "package.json"],
    packages: ["effect", "@effect/", "node:", "esbuild"]
  },
  {
    from: "infra/build.ts",
    own: ["package.json", "infra/code/sourceRecord.ts", "infra/declarations.ts"],
    packages: ["effect", "esbuild", "node:"]
  },
  { from: "infra/declarations.ts", own: [], packages: ["typescript", "node:"] },
  {
    from: "infra/init/project/",
    own: ["infra/init/project/"],
    packages: ["distillery", "effect", "node:assert", "node:test"]
  },
  { from: "infra/init/", own: ["infra/", "lib/", "package.json"], packages: ["effect", "node:"] },
  {
    from: "infra/",
    own: ["infra/", "lib/"],
    packages: [
      "effect",
      "@effect/",
      "@aws-sdk/",
      "@smithy/",
      "@dagrejs/dagre",
      "@tensorflow/",
      "esbuild",
      "eslint-scope",
      "estree",
      "koffi",
      "oxc-parser",
      "sharp",
      "undici",
      "yaml",
      "node:"
    ]
  }
]

/** One package, one home: who else imports it gets told where it belongs. */
const homes: ReadonlyArray<readonly [pattern: RegExp, home: string]> = [
  [/^sharp$/, "infra/images/"],
  [/^@dagrejs\/dagre$/, "infra/reporting/"],
  [/^koffi$/, "infra/tensorflow/"],
  [/^@tensorflow\/tfjs-backend-wasm/, "infra/tensorflow/"],
  [/^(oxc-parser|eslint-scope|estree)$/, "infra/code/"],
  [/^@(aws-sdk|smithy)\//, "infra/stores/"],
  [/^undici$/, "infra/sources/"]
]

export interface Import {
  readonly target: string
  readonly typeOnly: boolean
  readonly dynamic: boolean
}

const parse = (file: string, source: string) =>
  ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true)

/** Own targets as paths from the root; `undefined` stands for an import whose name is not a literal. */
export const importsOf = (file: string, source: string): ReadonlyArray<Import | undefined> => {
  const found: Array<Import | undefined> = []
  const resolve = (name: string) => (name.startsWith(".") ? normalize(join(dirname(file), name)) : name)
  const visit = (node: ts.Node): void => {
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier !== undefined
    ) {
      const typeOnly = ts.isImportDeclaration(node) ? node.importClause?.isTypeOnly === true : node.isTypeOnly
      found.push({
        target: resolve((node.moduleSpecifier as ts.StringLiteral).text),
        typeOnly,
        dynamic: false
      })
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments
      found.push(
        argument !== undefined && ts.isStringLiteral(argument)
          ? { target: resolve(argument.text), typeOnly: false, dynamic: true }
          : undefined
      )
    }
    ts.forEachChild(node, visit)
  }
  visit(parse(file, source))
  return found
}

const matches = (name: string, list: ReadonlyArray<string>) =>
  list.some((p) =>
    p.endsWith("/") || p.endsWith(":") ? name.startsWith(p) : name === p || name.startsWith(`${p}/`)
  )

/** `stages/x.ts` may load its body `stages/x.run.ts`; the body may name the types of its contract. */
const isOwnBody = (file: string, { dynamic, target }: Import) =>
  dynamic && target === file.replace(/\.ts$/, ".run.ts")
const isOwnContract = (file: string, { target }: Import) =>
  file.endsWith(".run.ts") && target === file.replace(".run.ts", ".ts")

const importViolation = (file: string, rule: ImportRule, found: Import | undefined): string | undefined => {
  if (found === undefined) {
    return file.startsWith("infra/")
      ? undefined
      : `${file} imports something that is not a literal: its code cannot be hashed`
  }
  const isOwn = found.target.includes(".ts") || found.target.endsWith(".json")
  if (isOwnBody(file, found) || isOwnContract(file, found)) return undefined
  if (isOwn && found.target.endsWith(".run.ts"))
    return `${file} must not import the body ${found.target}: only its contract may`
  const home = homes.find(([pattern, place]) => pattern.test(found.target) && !file.startsWith(place))
  if (home !== undefined) return `${file} must not import ${found.target}: that belongs in ${home[1]}`
  return matches(found.target, isOwn ? rule.own : rule.packages)
    ? undefined
    : `${file} must not import ${found.target}`
}

export const importViolations = (file: string, source: string): ReadonlyArray<string> => {
  const rule = importRules.find((candidate) => file.startsWith(candidate.from))
  if (rule === undefined) return []
  return importsOf(file, source).flatMap((found) => importViolation(file, rule, found) ?? [])
}

const limits = { fileLines: 400, functionLines: 70, lineLength: 110 }

/** A function that holds tests is a list of them, not logic; each of the tests is measured by itself. */
const declaresTests = (node: ts.Node): boolean => /^\s*(describe|it)\b[.\w]*\(/m.test(node.getText())

/** Sizes a reader can hold in the head: the hard limits; the goals (250, 40, 110) are kept by review. */
export const sizeViolations = (file: string, source: string): ReadonlyArray<string> => {
  const lines = source.split("\n")
  const found: Array<string> = []
  if (lines.length > limits.fileLines)
    found.push(`${file} has ${lines.length} lines, at most ${limits.fileLines}`)
  lines.forEach((line, i) => {
    if (line.length > limits.lineLength)
      found.push(`${file}:${i + 1} has ${line.length} characters, at most ${limits.lineLength}`)
  })
  const tree = parse(file, source)
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && "body" in node && node.body !== undefined && !declaresTests(node)) {
      const start = tree.getLineAndCharacterOfPosition(node.getStart()).line
      const size = tree.getLineAndCharacterOfPosition(node.end).line - start + 1
      if (size > limits.functionLines)
        found.push(`${file}:${start + 1} is a function of ${size} lines, at most ${limits.functionLines}`)
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

/** Words that mean something else here (ARCHITECTURE.md, "Words"). */
const forbiddenIdentifiers: ReadonlyArray<readonly [pattern: RegExp, where: RegExp, instead: string]> = [
  [/^(\w+C|c)onfig(uration)?$/, /^(lib|stages|pipelines)\//, "params (identity) or settings"],
  [/flops/i, /^/, "MACs"],
  [/bbox/i, /^/, "box"],
  [/^(preds?|gts?|acc|accuracy)$/, /^/, "predictions, labels, top1"]
]

const forbiddenFileNames = /(^|\/)(utils?|helpers?|common|misc|types|constants)\.ts$/

export const wordViolations = (file: string, source: string): ReadonlyArray<string> => {
  const found = forbiddenFileNames.test(file) ? [`${file}: name the file for what it holds`] : []
  const visit = (node: ts.Node): void => {
    const declares =
      ts.isIdentifier(node) &&
      (ts.isVariableDeclaration(node.parent) ||
        ts.isParameter(node.parent) ||
        ts.isPropertySignature(node.parent) ||
        ts.isFunctionDeclaration(node.parent) ||
        ts.isBindingElement(node.parent))
    if (declares && (node.parent as { readonly name?: ts.Node }).name === node) {
      for (const [pattern, where, instead] of forbiddenIdentifiers) {
        if (where.test(file) && pattern.test(node.text))
          found.push(`${file} declares "${node.text}": say ${instead}`)
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(parse(file, source))
  return found
}

const impure: ReadonlyArray<readonly [pattern: RegExp, instead: string]> = [
  [/\bDate\.now\(|\bnew Date\(\)/, "Effect's Clock"],
  [/\bMath\.random\(/, "a RandomStream"],
  [/\bprocess\./, "a setting from infra/settings.ts"],
  [/(?<!\.)\b(async|await)\b/, "Effect"],
  [/\btry\s*\{/, "Effect.try or a tagged error"]
]

/** `lib`, `stages` and `pipelines` touch no clock, no chance, no environment; they speak Effect. */
export const purityViolations = (file: string, source: string): ReadonlyArray<string> => {
  if (!/^(lib|stages|pipelines)\//.test(file)) return []
  const code = source
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/.*$/gm, "")
    .replace(/"[^"\n]*"|`[^`]*`/g, '""')
  return impure.flatMap(([pattern, instead]) =>
    pattern.test(code) ? [`${file} uses ${pattern.source}: use ${instead}`] : []
  )
}

/** Cycles among value imports, each as `a → b → a`. */
export const cycles = (files: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  const edges = new Map(
    [...files].map(([file, source]) => [
      file,
      importsOf(file, source).flatMap((i) =>
        i !== undefined && !i.typeOnly && !i.dynamic && files.has(i.target) ? [i.target] : []
      )
    ])
  )
  const found: Array<string> = []
  const done = new Set<string>()
  const visit = (file: string, path: ReadonlyArray<string>): void => {
    if (path.includes(file)) {
      found.push([...path.slice(path.indexOf(file)), file].join(" → "))
      return
    }
    if (done.has(file)) return
    for (const next of edges.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of files.keys()) visit(file, [])
  return found
}
