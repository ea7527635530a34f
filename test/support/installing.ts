/**
 * A process that resolves the library as a run does, for a toy release: JSON lines of its progress, then of
 * its answer. The one argument holds the options.
 */
import process from "node:process"
import { Effect } from "effect"
import { type LibraryOptions, resolveLibrary } from "../../infra/tensorflow/library.ts"
import { toyReleases } from "./toyRelease.ts"

const options = JSON.parse(process.argv[2]!) as LibraryOptions
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

say(await Effect.runPromise(resolveLibrary({ releases: toyReleases, onProgress: say, ...options })))
