/** The part of the command line that gives models away. */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { cache, json } from "./flags.ts"

export const exportModel = Command.make(
  "export",
  {
    model: Argument.String("MODEL").pipe(
      Argument.withDescription("A trained classifier: pipeline/job, ./mine.ts/job, or the job alone")
    ),
    formats: Flag.String("format").pipe(
      Flag.withMetavar("FORMAT[,FORMAT...]"),
      Flag.withDescription("safetensors, tfjs, saved-model, onnx (default: all). May be repeated"),
      Flag.atLeast(0)
    ),
    output: Flag.String("output").pipe(
      Flag.withMetavar("DIR"),
      Flag.withDescription("Folder of the export (default: .distillery/exports/JOB)"),
      Flag.optional,
      Flag.map(Option.getOrUndefined)
    ),
    force: Flag.Boolean("force").pipe(
      Flag.withDescription("Replace an earlier export that lies there"),
      Flag.withDefault(false)
    ),
    ...cache,
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./exportModel.ts")),
      (module) => module.exportModel(flags)
    )
).pipe(
  Command.withDescription(
    "Write a trained classifier for other programs: safetensors for PyTorch, a graph model of " +
      "TensorFlow.js, a SavedModel of TensorFlow, ONNX. Each is read back by its own runtime and compared, " +
      "logit for logit, on 16 images; where one differs, nothing is written. Images go in as pixels 0 to 255"
  ),
  Command.withShortDescription("Write a trained classifier for other programs"),
  Command.withExamples([
    { command: "distillery export quickstart/student --output student", description: "All formats" },
    {
      command: "distillery export quickstart/student --format tfjs,onnx --output student --force",
      description: "Two of them, over an earlier export"
    }
  ])
)

/** What `export` runs in processes of their own; not for people. */
export const reloadExport = Command.make(
  "reload-export",
  { format: Argument.String("FORMAT"), folder: Argument.String("DIR") },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./reloadExport.ts")),
      (module) => module.reloadExport(flags)
    )
).pipe(Command.withDescription("Run an exported model on the images of the comparison"), Command.unlisted)
