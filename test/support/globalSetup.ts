/** Tools that test files of several workers need, made before the first of them starts. */
import { globSync } from "node:fs"
import { rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { TestProject } from "vitest/node"
import { packPackage } from "./packedPackage.ts"
import { buildShared, removeShared } from "./sharedProgram.ts"
import { installVersitygw } from "./versitygwBinary.ts"

/** Arguments that name test files; like vitest, by any part of their path. */
const isNamed = (file: string, args: ReadonlyArray<string>): boolean => {
  const names = args.filter((word) => word.startsWith("test") || word.endsWith(".ts"))
  return names.length === 0 || names.some((name) => file.includes(name.replace(/^\.\//, "")))
}

const isAnyNamed = (pattern: string): boolean =>
  globSync(pattern, { cwd: join(import.meta.dirname, "../..") }).some((file) =>
    isNamed(file, process.argv.slice(3))
  )

/** Resolves to what is to be done at the end. */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  if (isAnyNamed("test/**/*{s3,S3}*.test.ts")) await installVersitygw()
  if (isAnyNamed("test/infra/{cli,deploy}/**/*.test.ts")) project.provide("program", await buildShared())
  if (!isAnyNamed("test/{package,infra/cli/firstHour}.test.ts")) return removeShared
  const tarball = await packPackage()
  project.provide("tarball", tarball)
  return async () => {
    await removeShared()
    await rm(dirname(tarball), { recursive: true })
  }
}
