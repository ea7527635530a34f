/** The networks one may name, by `publishedModels`, and what each comes to. */
import { Effect } from "effect"
import type { Architecture } from "../../lib/models/Architecture.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { publishedModelOf, publishedModels } from "../../lib/models/published/publishedModels.ts"
import { nearest } from "../../lib/workflow/suggestions.ts"
import { UsageError } from "./errors.ts"

export interface NamedModel {
  readonly name: string
  /** Who publishes weights under this name. */
  readonly library: string
  readonly architecture: Architecture
  readonly numClasses: number
  readonly input: { readonly height: number; readonly width: number; readonly channels: 3 }
}

export interface ModelFacts extends NamedModel {
  readonly params: number
  /** Of one image of that size. */
  readonly macs: number
}

type Published = (typeof publishedModels)[number]

const namedModel = ({ architecture, inputPixels, library, name, numClasses }: Published): NamedModel => ({
  name,
  library,
  architecture,
  numClasses,
  input: { height: inputPixels, width: inputPixels, channels: 3 }
})

/** Those of these names, all where there are none. Fails with `UsageError` for a name that nobody has. */
export const chosenModels = Effect.fn("chosenModels")(function* (names: ReadonlyArray<string>) {
  if (names.length === 0) return publishedModels.map(namedModel)
  return yield* Effect.forEach(names, (text) =>
    publishedModelOf(text).pipe(
      Effect.map(namedModel),
      Effect.mapError(() => {
        const near = nearest(
          text,
          publishedModels.map(({ name }) => name)
        )
        const what = `there is no network "${text}"${near === undefined ? "" : `: did you mean "${near}"?`}`
        return new UsageError({ what, fix: "npx distillery models shows which there are" })
      })
    )
  )
})

export const factsOf = Effect.fn("factsOf")(function* (model: NamedModel) {
  const { architecture, input, numClasses } = model
  const classifier = yield* loadClassifier({ architecture, imageChannels: input.channels, numClasses })
  const macs = classifier.macs(input.height, input.width)
  return { ...model, params: classifier.parameters, macs } satisfies ModelFacts as ModelFacts
})
