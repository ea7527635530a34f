/** Flags of `run` that say how it runs: settings, none of which moves a key. */
import { Option, Schema } from "effect"
import { Flag } from "effect/cli"

const Concurrency = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1024 }))

const executors = ["warm", "fresh", "in-process"] as const

const WaitSeconds = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 31_536_000 }))

export const runSettings = {
  leaseTimeout: Flag.Int("lease-timeout").pipe(
    Flag.withMetavar("SECONDS"),
    Flag.withDescription(
      "How long a job waits for another run that computes it, then it fails (default: as long as it takes)"
    ),
    Flag.withSchema(WaitSeconds),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  ),
  concurrency: Flag.Int("concurrency").pipe(
    Flag.withMetavar("N"),
    Flag.withDescription(
      "Jobs of the pool cpu that run at once; training takes the machine alone (default: number of CPUs)"
    ),
    Flag.withSchema(Concurrency),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  ),
  keepGoing: Flag.Boolean("keep-going").pipe(
    Flag.withDescription("After a failure, start what does not depend on it (default: start nothing new)"),
    Flag.withDefault(false)
  ),
  timeLimit: Flag.String("time-limit").pipe(
    Flag.withMetavar("JOB=TIME"),
    Flag.withDescription("Stop a job that takes longer, e.g. student=90s, 10m or 2h. May be repeated"),
    Flag.atLeast(0)
  ),
  strict: Flag.Boolean("strict").pipe(
    Flag.withDescription(
      "Refuse results that depend on what no key knows of: environment, files, clock, chance, network, " +
        "locale, packages changed after their installation. With --force all is audited"
    ),
    Flag.withDefault(false)
  ),
  executor: Flag.Literals("executor", executors).pipe(
    Flag.withDescription(
      "Where jobs run: in children that serve several jobs of the pool cpu (warm), in a fresh child each, " +
        "or in this process (default: warm)"
    ),
    Flag.withDefault("warm" as const)
  ),
  inProcess: Flag.Boolean("in-process").pipe(
    Flag.withDescription("The same as --executor in-process, for a debugger"),
    Flag.withDefault(false)
  )
}
