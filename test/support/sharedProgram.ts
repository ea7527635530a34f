/** The program, built once for all test files of a run. */
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { buildProgram } from "../../infra/build.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The folder of the built program; made by a global setup where a test that asks for it is run. */
    readonly program: string
  }
}

// Inside the package, so that the program finds its packages and the stages' sources.
const folder = join(
  import.meta.dirname,
  "../../node_modules/.cache",
  `distillery-program-test-${process.pid}`
)

/** Resolves to the folder. */
export const buildShared = async (): Promise<string> => {
  await buildProgram(folder)
  return folder
}

export const removeShared = (): Promise<void> => rm(folder, { recursive: true, force: true })
