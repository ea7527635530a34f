/** All files of a new project, none of them written yet. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { Effect } from "effect"
import packageJson from "../../package.json" with { type: "json" }
import { UsageError } from "../cli/errors.ts"
import type { ChosenImages } from "./chosenImages.ts"
import { type Dependency, dependencyOn } from "./dependency.ts"
import { firstParams } from "./firstParams.ts"
import { completedManifest, newManifest } from "./manifestFile.ts"
import { pipelineModule } from "./pipelineTemplate.ts"
import type { ProjectFile } from "./projectFiles.ts"
import { readme } from "./readme.ts"

export interface NewProject {
  readonly folder: string
  readonly images: ChosenImages
  /** Root of the running package. */
  readonly packageRoot: string
}

/** Of the project and its pipeline: from the folder's, in kebab-case. */
export const nameFor = (folder: string): string =>
  basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "") || "my-pipeline"

const copied = [
  "tsconfig.json",
  "stages/class-balance.ts",
  "stages/class-balance.run.ts",
  "test/class-balance.test.ts"
]

/** Where nothing is known yet of the images. */
const unknownImages = {
  classes: [{ name: "", numImages: 200, numTrain: undefined }],
  side: undefined
}

const describe = ({ found }: ChosenImages): string =>
  found === undefined ? "Images of my own" : `Images of ${found.classes.map(({ name }) => name).join(", ")}`

export const projectFiles = ({ folder, images, packageRoot }: NewProject): ReadonlyArray<ProjectFile> => {
  const name = nameFor(folder)
  const { isFolder } = dependencyOn(packageRoot, packageJson.version, folder)
  const description = describe(images)
  const params = firstParams(images.found ?? unknownImages)
  return [
    { path: ".gitignore", text: "node_modules/\n.distillery/\n" },
    ...(isFolder ? [{ path: ".npmrc", text: "install-links=true\n" }] : []),
    { path: "README.md", text: readme(name, images.path) },
    { path: "my-pipeline.ts", text: pipelineModule({ name, description, images: images.path, params }) },
    ...copied.map((path) => ({ path, copyOf: join(packageRoot, "infra", "init", "project", path) })),
    ...images.samples.map(({ bytes, path }) => ({ path: `${images.path}/${path}`, text: bytes }))
  ]
}

export interface ManifestPlan {
  /** `undefined`: it is as it should be. */
  readonly text: string | undefined
  /** Fields added to one that is there; absent where there is none. */
  readonly added: ReadonlyArray<string> | undefined
}

const isCode = (file: string): boolean => /\.[cm]?[jt]sx?$/.test(file) && file !== "my-pipeline.ts"

/** Code that is there may be of the kind that `"type": "module"` would break. */
const refusal = (folder: string, added: ReadonlyArray<string>) => {
  const code = readdirSync(folder).find(isCode)
  if (!added.includes("type") || code === undefined) return undefined
  return new UsageError({
    what: `package.json does not say "type": "module", and there is code (${code}) that it would change`,
    fix: "Say it there by hand, or choose a new folder: npx distillery init my-project"
  })
}

const completedIn = (folder: string, dependency: Dependency) =>
  Effect.try({
    try: () => completedManifest(readFileSync(join(folder, "package.json"), "utf8"), dependency),
    catch: (error) => new UsageError({ what: `package.json cannot be read: ${(error as Error).message}` })
  })

/** Fails with `UsageError` where the folder is a project that must not be changed. */
export const manifestPlan = Effect.fn("manifestPlan")(function* ({ folder, packageRoot }: NewProject) {
  const dependency = dependencyOn(packageRoot, packageJson.version, folder)
  if (!existsSync(join(folder, "package.json"))) {
    return {
      text: newManifest(nameFor(folder), dependency),
      added: undefined
    } satisfies ManifestPlan as ManifestPlan
  }
  if (folder === packageRoot) {
    return yield* new UsageError({
      what: "this is the folder of distillery itself",
      fix: "Name a new one: npx distillery init ../my-project"
    })
  }
  const { added, text } = yield* completedIn(folder, dependency)
  const refused = refusal(folder, added)
  if (refused !== undefined) return yield* refused
  return { text: added.length === 0 ? undefined : text, added } satisfies ManifestPlan as ManifestPlan
})
