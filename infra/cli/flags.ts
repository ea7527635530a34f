/** Arguments and flags that several commands take. */
import { Option, Schema } from "effect"
import { Argument, Flag } from "effect/cli"
import { sizeForm, sizeFrom } from "../stores/cacheSize.ts"

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

export const quiet = Flag.Boolean("quiet").pipe(
  Flag.withAlias("q"),
  Flag.withDescription("No progress; results and errors only"),
  Flag.withDefault(false)
)

const Size = Schema.String.check(
  Schema.makeFilter((text) => sizeFrom(text) !== undefined || `expected ${sizeForm}`)
)

/** Where a store on S3 is given copies on this machine. */
export const cache = {
  cacheDir: Flag.String("cache-dir").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription(
      "Where blobs of a store on S3 are kept on this machine, or off (default: DISTILLERY_CACHE_DIR, else " +
        "the user's cache)"
    ),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  ),
  cacheSize: Flag.String("cache-size").pipe(
    Flag.withMetavar("SIZE"),
    Flag.withDescription(
      "How much is kept there, the least recently used goes first (default: DISTILLERY_CACHE_SIZE, else 20GB)"
    ),
    Flag.withSchema(Size),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  )
}
