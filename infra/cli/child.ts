/** The process of jobs, started by `ChildProcessExecutor`: what is settled before its modules are loaded. */
import { enableCompileCache } from "node:module"
import { join } from "node:path"
import { cacheFolder } from "../userFolders.ts"
import { shareEffect } from "./oneEffect.ts"

enableCompileCache(join(cacheFolder(process.env), "compiled"))
// One copy for this program and the bundles of stages, and one that loads in no time.
shareEffect()

await import("./jobProcess.ts")
