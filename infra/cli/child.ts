/** The process of jobs, started by `ChildProcessExecutor`: what is settled before its modules are loaded. */
import { keepCompiledCode } from "../compiledCode.ts"
import { shareEffect } from "./oneEffect.ts"

keepCompiledCode(process.env)
// One copy for this program and the bundles of stages, and one that loads in no time.
shareEffect()

await import("./jobProcess.ts")
