/** The part of the command line that is about who vouches for results. */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { json } from "./flags.ts"

const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(description),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  )

const keyNew = Command.make(
  "new",
  { output: text("output", "FILE", "Keep it in this new file"), json },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./key.ts")),
      (module) => module.make(flags)
    )
).pipe(
  Command.withDescription(
    "Make a key for somebody else than you, as a build server: the secret goes to stdout, once, and is " +
      "kept nowhere; with --output, into a file that only you may read. Your own is made by itself"
  ),
  Command.withShortDescription("Make a key for a build server"),
  Command.withExamples([
    {
      command: "distillery key new | gh secret set DISTILLERY_KEY",
      description: "Straight into a secret of the repository"
    }
  ])
)

const keyShow = Command.make("show", { json }, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./key.ts")),
    (module) => module.show(flags)
  )
).pipe(Command.withDescription("Print the public key of what is made here, for others to trust"))

const keyTrust = Command.make(
  "trust",
  {
    key: Argument.String("KEY").pipe(Argument.withDescription("A public key, ed25519:…")),
    scope: Flag.String("scope").pipe(
      Flag.withMetavar("SCOPE[,SCOPE...]"),
      Flag.withDescription("Where it counts: main, pr/7, pr/*, user/ann, user/*. May be repeated"),
      Flag.atLeast(1)
    ),
    name: text("name", "TEXT", "Whose it is, for you to remember")
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./key.ts")),
      (module) => module.trust(flags)
    )
).pipe(
  Command.withDescription(
    "Let results that this key has signed count for you, in these scopes and no others. They are looked " +
      "for in the scopes that DISTILLERY_TRUST_SCOPES names"
  ),
  Command.withShortDescription("Let what a key has signed count"),
  Command.withExamples([
    {
      command: 'distillery key trust ed25519:hd4… --scope main --name "the build server"',
      description: "What the build server makes for main is a hit from now on"
    }
  ])
)

const keyUntrust = Command.make(
  "untrust",
  { key: Argument.String("KEY").pipe(Argument.withDescription("A public key, or the name it was given")) },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./key.ts")),
      (module) => module.untrust(flags)
    )
).pipe(
  Command.withDescription("Let results that this key has signed count no more: they are misses from now on")
)

const keyList = Command.make("list", { json }, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./key.ts")),
    (module) => module.list(flags)
  )
).pipe(Command.withDescription("Show whose results count here, and in which scopes"))

export const key = Command.make("key").pipe(
  Command.withDescription("Who vouches for results: make keys, trust those of others, see whose count"),
  Command.withShortDescription("Whose results count"),
  Command.withSubcommands([keyList, keyShow, keyTrust, keyUntrust, keyNew])
)
