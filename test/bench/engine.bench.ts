/** The engine: what it costs beside the work of the stages. */
import { executedCases } from "./engine/executedStages.ts"
import { hitCases } from "./engine/hits.ts"
import { inputCases } from "./engine/inputs.ts"
import type { Row } from "./Row.ts"

export const measure = async (): Promise<ReadonlyArray<Row>> => [
  ...(await hitCases()),
  ...executedCases(),
  ...(await inputCases())
]
