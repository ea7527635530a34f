/** The part of the command line that is about networks as such, trained or not. */
import { Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { json } from "./flags.ts"

export const models = Command.make(
  "models",
  {
    names: Argument.String("NAME").pipe(
      Argument.withDescription("These networks alone (default: all)"),
      Argument.atLeast(0)
    ),
    measure: Flag.Boolean("measure").pipe(
      Flag.withDescription(
        "Also run each, in a process of its own: images a second and peak memory on this machine. Takes " +
          "some seconds a network"
      ),
      Flag.withDefault(false)
    ),
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./models.ts")),
      (module) => module.models(flags)
    )
).pipe(
  Command.withDescription(
    "Show the networks that have a name in publications: parameters and multiply-accumulates (MACs) of one " +
      "image at the size they were published for, and the architecture to write in a pipeline (--json)"
  ),
  Command.withShortDescription("Show the networks one may name, their size and cost"),
  Command.withExamples([
    { command: "distillery models", description: "Which are there, and what do they cost?" },
    { command: "distillery models resnet50d --measure", description: "How fast is it here?" }
  ])
)
