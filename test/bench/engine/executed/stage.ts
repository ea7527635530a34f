/** Does nothing, so that what is measured is the engine. */
import { Schema } from "effect"
import * as Artifact from "../../../../lib/workflow/Artifact.ts"
import * as Stage from "../../../../lib/workflow/Stage.ts"

const Count = Artifact.type("count", Schema.Struct({ value: Schema.Int }))

export const stage = Stage.make("stage", {
  params: Schema.Struct({ value: Schema.Int }),
  inputs: {},
  output: Count,
  run: () => import("./stage.run.ts")
})
