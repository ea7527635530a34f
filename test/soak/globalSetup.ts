/** What many soaks need, made before the first of them starts. */
import type { TestProject } from "vitest/node"
import { buildShared, removeShared } from "../support/sharedProgram.ts"

/** Resolves to what is to be done at the end. */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  project.provide("program", await buildShared())
  return removeShared
}
