/**
 * Our side of the storage benchmark, a process for each measurement as the peers are: moves files between
 * this machine and the store that the environment names. Started as a bundle, as users start the program.
 */
import { enableCompileCache } from "node:module"

enableCompileCache()
const [what, prefix, ...files] = process.argv.slice(2)
const { acts, within } = await import("./moving.ts")
const act = acts[what as keyof typeof acts]
if (act === undefined || prefix === undefined) throw new Error(`usage: ours.js WHAT PREFIX FILE...`)
await within(prefix, act(files[0]!, files[1]!, files[2]))
