/** The types of the package's entries, as `.d.ts` files that mirror the sources. */
import { mkdir, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import ts from "typescript"

export interface DeclarationOptions {
  readonly packageRoot: string
  /** The modules whose types are public, by path from the root; what they name comes along. */
  readonly files: ReadonlyArray<string>
  /** What lay in it is removed. */
  readonly folder: string
}

const compilerOptions = (packageRoot: string): ts.CompilerOptions => {
  const file = join(packageRoot, "tsconfig.json")
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(file, ts.sys.readFile).config,
    ts.sys,
    packageRoot
  )
  return { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: packageRoot }
}

/** Imports of sources become imports of what stands beside the declarations for other compilers: `.js`. */
const importingJs = (text: string): string =>
  text.replaceAll(
    /(from |import\()"(\.[^"]*)\.ts"/g,
    (_, before: string, path: string) => `${before}"${path}.js"`
  )

/** Throws where the sources do not compile. */
export const emitDeclarations = async ({ files, folder, packageRoot }: DeclarationOptions): Promise<void> => {
  const program = ts.createProgram(
    files.map((file) => join(packageRoot, file)),
    { ...compilerOptions(packageRoot), outDir: folder }
  )
  const written = new Map<string, string>()
  const emitted = program.emit(undefined, (file, text) => void written.set(file, importingJs(text)))
  const wrong = [...ts.getPreEmitDiagnostics(program), ...emitted.diagnostics]
  if (wrong.length > 0) {
    throw new Error(
      ts.formatDiagnostics(wrong, { ...ts.sys, getCanonicalFileName: (name) => name, getNewLine: () => "\n" })
    )
  }
  await rm(folder, { recursive: true, force: true })
  for (const [file, text] of written) {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
}
