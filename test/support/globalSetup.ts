/** Tools that test files of several workers need, made before the first of them starts. */
import { globSync } from "node:fs"
import { join } from "node:path"
import { installVersitygw } from "./versitygwBinary.ts"

/** Arguments that name test files; like vitest, by any part of their path. */
const isNamed = (file: string, args: ReadonlyArray<string>): boolean => {
  const names = args.filter((word) => word.startsWith("test") || word.endsWith(".ts"))
  return names.length === 0 || names.some((name) => file.includes(name.replace(/^\.\//, "")))
}

export const setup = async (): Promise<void> => {
  const needing = globSync("test/**/*{s3,S3}*.test.ts", { cwd: join(import.meta.dirname, "../..") })
  if (needing.some((file) => isNamed(file, process.argv.slice(3)))) await installVersitygw()
}
