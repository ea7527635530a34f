/** The part of the command line that makes projects. */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { json } from "./flags.ts"

export const init = Command.make(
  "init",
  {
    folder: Argument.String("FOLDER").pipe(
      Argument.withDescription("Where; made if it is not there (default: this folder)"),
      Argument.optional,
      Argument.map(Option.getOrElse(() => "."))
    ),
    images: Flag.String("images").pipe(
      Flag.withMetavar("DIR"),
      Flag.withDescription(
        "A folder of yours with a folder of images for each class (default: FOLDER/images)"
      ),
      Flag.optional,
      Flag.map(Option.getOrUndefined)
    ),
    sample: Flag.Boolean("sample").pipe(
      Flag.withDescription("Render some images of three classes into FOLDER/images, to begin without any"),
      Flag.withDefault(false)
    ),
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./init.ts")),
      (module) => module.init(flags)
    )
).pipe(
  Command.withDescription(
    "Make a project of your own: a pipeline for your images, a stage with its test. Keeps what is there"
  ),
  Command.withShortDescription("Make a project of your own"),
  Command.withExamples([
    {
      command: "distillery init my-flowers --images ~/photos/flowers",
      description: "For images that are there: flowers/rose/*.jpg, flowers/tulip/*.jpg, …"
    },
    { command: "distillery init try-it --sample", description: "Without images of your own" }
  ])
)
