/**
 * Where the stages of the user's own lie: in the modules that a pipeline's module imports by relative paths,
 * as `Stage.make("name", { …, run: () => import("./body.ts") })`. Found by parsing, and known as long as none
 * of those modules changes.
 */
import { existsSync } from "node:fs"
import { dirname, join, relative, sep } from "node:path"
import { Schema } from "effect"
import type { StageFiles } from "./CodeClosure.ts"
import { learner, recordsIn } from "./records.ts"
import { Files, type SourceDigests } from "./SourceDigests.ts"

const Found = Schema.Struct({
  name: Schema.String,
  /** Absolute paths. */
  contract: Schema.String,
  body: Schema.String
})
export type FoundStage = typeof Found.Type

const Record = Schema.Struct({
  schemaVersion: Schema.Literal(1),
  files: Files,
  stages: Schema.Array(Found)
})

export interface UserStagesOptions {
  /** The module of the pipeline. */
  readonly pipelineFile: string
  readonly packageRoot: string
  readonly codeFolder: string
  readonly sources: SourceDigests
}

/** The folder of the nearest `package.json` above a file; the file's own where there is none. */
const rootOf = (file: string): string => {
  let folder = dirname(file)
  while (!existsSync(join(folder, "package.json"))) {
    const above = dirname(folder)
    if (above === folder) return dirname(file)
    folder = above
  }
  return folder
}

const filesOf = ({ body, contract }: FoundStage): StageFiles => {
  const root = rootOf(contract)
  const path = (file: string) => relative(root, file).split(sep).join("/")
  return { root, contract: path(contract), body: path(body) }
}

const scan = async ({ codeFolder, pipelineFile, sources }: UserStagesOptions) => {
  const records = recordsIn(codeFolder, Record)
  const known = await records.read(pipelineFile)
  if (known !== undefined && sources.areSame(known.files)) return known.stages
  const { stagesBelow } = await import("./stageScan.ts")
  const { files: scanned, stages } = await stagesBelow(pipelineFile)
  const files = { ...scanned, ...sources.all([learner]) }
  sources.save()
  await records.write(pipelineFile, { schemaVersion: 1, files, stages })
  return stages
}

const placesOf = (stages: ReadonlyArray<FoundStage>): string =>
  stages.map(({ contract }) => contract).join(" and ")

/**
 * The files of a stage by its name: of the user's own, else `undefined`. Rejects with an error for a name
 * that two of the user's modules define, or one of ours and one of theirs.
 */
export const userStages = (
  options: UserStagesOptions
): ((stageName: string) => Promise<StageFiles | undefined>) => {
  let scanned: Promise<ReadonlyArray<FoundStage>> | undefined
  return async (stageName) => {
    scanned ??= scan(options)
    const found = (await scanned).filter(({ name }) => name === stageName)
    const [first] = found
    if (first === undefined) return undefined
    if (found.length > 1) {
      throw new Error(`it is defined more than once, in ${placesOf(found)}: give one another name`)
    }
    const ours = join(options.packageRoot, "stages", `${stageName}.ts`)
    if (existsSync(ours) && ours !== first.contract) {
      throw new Error(
        `${first.contract} defines a stage of that name, and so does distillery: give yours another name`
      )
    }
    return filesOf(first)
  }
}
