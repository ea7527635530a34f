/**
 * A process that resolves the library as a run does, for a toy release: JSON lines of its progress, then of
 * its answer. The one argument holds the options.
 */
import process from "node:process"
import { Effect } from "effect"
import { type LibraryOptions, resolveLibrary } from "../../infra/tensorflow/library.ts"
import { toyReleases } from "./toyRelease.ts"

/** `parts`: a release of several wheels stands in for the one of one. */
export type Given = Partial<LibraryOptions> & { readonly parts?: boolean }

const { parts = false, ...options } = JSON.parse(process.argv[2]!) as Given & { cacheDirectory: string }
const releases = parts ? { ...toyReleases, cpu: toyReleases.gpu } : toyReleases
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

say(await Effect.runPromise(resolveLibrary({ releases, onProgress: say, ...options })))
