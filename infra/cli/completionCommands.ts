/** The part of the command line that serves shells. */
import { Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"

export const completion = Command.make(
  "completion",
  {
    shell: Argument.Literals("SHELL", ["bash", "zsh", "fish", "powershell"]).pipe(
      Argument.withDescription("bash, zsh, fish or powershell")
    )
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./completion.ts")),
      (module) => module.completion(flags)
    )
).pipe(
  Command.withDescription(
    "Print a script that lets a shell complete commands and flags; in bash also pipelines, jobs and runs"
  ),
  Command.withShortDescription("Print a completion script for a shell"),
  Command.withExamples([
    { command: 'eval "$(distillery completion bash)"', description: "In this shell, or in ~/.bashrc" },
    {
      command: "distillery completion fish > ~/.config/fish/completions/distillery.fish",
      description: "For every fish"
    }
  ])
)

/** What the scripts ask; not for people. */
export const completeNames = Command.make(
  "complete-names",
  {
    kind: Argument.Literals("KIND", ["pipelines", "jobs", "results", "runs"]),
    pipeline: Argument.String("PIPELINE").pipe(Argument.optional, Argument.map(Option.getOrUndefined))
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./completion.ts")),
      (module) => module.completeNames(flags)
    )
).pipe(Command.withDescription("Print names for a completion script, one a line"), Command.unlisted)
