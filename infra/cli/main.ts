#!/usr/bin/env node
/**
 * The program `distillery`, in one of two builds (see `infra/build.ts`).
 *
 * A pipeline of the user's own brings the installed Effect with it, and schemas of one copy of Effect do not
 * decode under another: such a command runs on the build that shares the installed copy. It starts 0.3 s
 * later.
 */
import * as nodeModule from "node:module"
import { isModulePath } from "./modulePath.ts"

// npm scripts and npx find the Node that comes along as a package; whoever starts this file by hand may not.
if (nodeModule.registerHooks === undefined) {
  console.error(
    `error: distillery needs Node 22.19 or newer, and this is ${process.versions.node}\n` +
      "  Start it by `npx distillery` or `npm start`, which bring Node 24 along."
  )
  process.exit(2)
}

const [command, ...rest] = process.argv.slice(2)
const isBuilt = import.meta.url.endsWith(".js")
const takesPipeline = command === "run" || command === "plan" || (command === "schedule" && rest[0] === "add")

if (
  isBuilt &&
  takesPipeline &&
  rest.some((argument) => !argument.startsWith("-") && isModulePath(argument))
) {
  await import(new URL("./program-shared.js", import.meta.url).href)
} else {
  await import("./program.ts")
}
