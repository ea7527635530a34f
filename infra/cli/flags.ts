/** Arguments and flags that several commands take. */
import { Argument, Flag } from "effect/cli"

export const pipeline = Argument.String("PIPELINE").pipe(
  Argument.withDescription(
    "Name of a pipeline (see `distillery list`), or the path of a module that exports `pipeline`"
  )
)
export const json = Flag.Boolean("json").pipe(
  Flag.withDescription("Print one JSON document on stdout instead of text"),
  Flag.withDefault(false)
)

export const set = Flag.String("set").pipe(
  Flag.withMetavar("JOB.PARAM=VALUE"),
  Flag.withDescription(
    "Another value for a param, e.g. student.training.epochs=5 (JSON, else a string). May be repeated"
  ),
  Flag.atLeast(0)
)
