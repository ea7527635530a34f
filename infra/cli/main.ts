#!/usr/bin/env node
/**
 * The program `distillery`, in one of two builds (see `infra/build.ts`).
 *
 * A pipeline of the user's own brings the installed Effect with it, and schemas of one copy of Effect do not
 * decode under another: such a command runs on the build that shares the installed copy. It starts 0.3 s
 * later.
 */
import { isModulePath } from "./modulePath.ts"

const [command, ...rest] = process.argv.slice(2)
const isBuilt = import.meta.url.endsWith(".js")
const takesPipeline = command === "run" || command === "plan"

if (
  isBuilt &&
  takesPipeline &&
  rest.some((argument) => !argument.startsWith("-") && isModulePath(argument))
) {
  await import(new URL("./program-shared.js", import.meta.url).href)
} else {
  await import("./program.ts")
}
