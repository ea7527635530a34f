#!/usr/bin/env node
/** The program `distillery`: what must be settled before its modules are loaded. */
import * as nodeModule from "node:module"
import { keepCompiledCode } from "../compiledCode.ts"

// npm scripts and npx find the Node that comes along as a package; whoever starts this file by hand may not.
// Until that is said, nothing may be imported by a name that older ones do not have.
if (nodeModule.registerHooks === undefined) {
  console.error(
    `error: distillery needs Node 22.19 or newer, and this is ${process.versions.node}\n` +
      "  Start it by `npx distillery` or `npm start`, which bring Node 24 along, if npm may run the\n" +
      "  script of the package `node`: npm install-scripts approve node"
  )
  process.exit(2)
}

keepCompiledCode(process.env)

await import("./program.ts")
