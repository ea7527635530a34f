/** The part of the command line that is about TensorFlow's library. */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { json } from "./flags.ts"

const gpu = (description: string) =>
  Flag.Boolean("gpu").pipe(Flag.withDescription(description), Flag.withDefault(false))

const runtimeInstall = Command.make(
  "install",
  { gpu: gpu("The one for NVIDIA GPUs, with CUDA 12 and cuDNN 9: 2.5 GB, 4.2 GB unpacked"), json },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./runtime.ts")),
      (module) => module.install(flags)
    )
).pipe(
  Command.withDescription(
    "Fetch TensorFlow's library now, by pip, into the cache: 274 MB, 0.9 GB unpacked. One that is there is " +
      "checked, and fetched again where it is damaged. Exit codes: 0 it is there, 1 it cannot be fetched"
  ),
  Command.withShortDescription("Fetch TensorFlow's library, or check the one there"),
  Command.withExamples([
    { command: "distillery runtime install", description: "Before the first run, as when building an image" }
  ])
)

const runtimeList = Command.make(
  "list",
  {
    verify: Flag.Boolean("verify").pipe(
      Flag.withDescription("Also read all files and compare their SHA-256"),
      Flag.withDefault(false)
    ),
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./runtime.ts")),
      (module) => module.list(flags)
    )
).pipe(
  Command.withDescription(
    "Show the libraries there are, which one serves, and why the others do not. Exit codes: 0, or 4 where " +
      "--verify found damage"
  ),
  Command.withShortDescription("Show the libraries there are, and which one serves"),
  Command.withExamples([
    { command: "distillery runtime list --verify", description: "Is what was fetched still what it was?" }
  ])
)

const runtimeRemove = Command.make("remove", { gpu: gpu("The one for NVIDIA GPUs"), json }, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./runtime.ts")),
    (module) => module.remove(flags)
  )
).pipe(
  Command.withDescription(
    "Remove the library that was fetched, of whatever version. The next run fetches it again, unless " +
      "DISTILLERY_BACKEND=portable"
  ),
  Command.withShortDescription("Remove the library that was fetched"),
  Command.withExamples([{ command: "distillery runtime remove", description: "Frees 0.9 GB" }])
)

export const runtime = Command.make("runtime").pipe(
  Command.withDescription(
    "TensorFlow's library, on which training runs: fetch, show or remove it. Runs fetch it by themselves"
  ),
  Command.withShortDescription("Fetch, show or remove TensorFlow's library"),
  Command.withSubcommands([runtimeInstall, runtimeList, runtimeRemove])
)
