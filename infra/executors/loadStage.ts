/** Loads the bundle of a stage: every time anew, so that no job sees the variables of another's modules. */
import { registerHooks, setSourceMapsSupport } from "node:module"
import { pathToFileURL } from "node:url"
import type { AnyStage } from "../../lib/workflow/Stage.ts"
import type { ChildRequest } from "./messages.ts"

const isBare = (specifier: string): boolean => !/^(\.|\/|node:|file:|data:)/.test(specifier)

/** By address of a bundle: the module whose packages it shares. */
const importers = new Map<string, string>()
let isHooked = false

/** Bundles may lie anywhere; their packages are those of the package they were made from. */
const leadBack = (packageRoot: string, bundleUrl: string): void => {
  importers.set(bundleUrl, pathToFileURL(`${packageRoot}/package.json`).href)
  if (isHooked) return
  isHooked = true
  // Errors of a stage name the lines of its sources. Maps of packages would take 0.1 s to read.
  setSourceMapsSupport(true, { nodeModules: false, generatedCode: false })
  registerHooks({
    resolve: (specifier, context, next) => {
      const importer = importers.get(context.parentURL ?? "")
      return importer !== undefined && isBare(specifier)
        ? next(specifier, { ...context, parentURL: importer })
        : next(specifier, context)
    }
  })
}

let numLoaded = 0

export const loadStage = async (request: ChildRequest): Promise<AnyStage> => {
  const { href } = pathToFileURL(request.bundleFile)
  const url = numLoaded === 0 ? href : `${href}?${numLoaded}`
  numLoaded += 1
  leadBack(request.packageRoot, url)
  const exported: { readonly [name: string]: unknown } = await import(url)
  const stage = Object.values(exported).find(
    (value) => (value as Partial<AnyStage> | null)?.stageName === request.stageName
  )
  if (stage !== undefined) return stage as AnyStage
  throw new Error(`${request.bundleFile} exports no stage called "${request.stageName}"`)
}
