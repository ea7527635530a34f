/**
 * How many images each class has, and how bright they are: the contract of a stage of your own.
 *
 * A contract is light. The work is in class-balance.run.ts, which is loaded when a job runs; change what it
 * does, and the job runs again.
 */
import { Artifact, Stage, withDefault } from "distillery"
import { PreparedDataset } from "distillery/stages/artifacts"
import { Schema } from "effect"

/** What the stage makes: JSON, which may point to bytes in the store by a `BlobRef`. */
export const Balance = Artifact.type(
  "class-balance",
  Schema.Struct({
    rows: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        numTrain: Schema.Int,
        numTest: Schema.Int,
        /** Mean of all pixels of the training images, 0 to 1. */
        brightness: Schema.Number
      })
    )
  })
)

/** What changes the result: `--set balance.warnBelow=20` gives it another value. */
export const BalanceParams = Schema.Struct({ warnBelow: withDefault(Schema.Int, 10) })

export const balanceInputs = { dataset: PreparedDataset.classification }

export const ClassBalance = Stage.make("class-balance", {
  params: BalanceParams,
  inputs: balanceInputs,
  output: Balance,
  run: () => import("./class-balance.run.ts")
})
