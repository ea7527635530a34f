/** Why a file of weights was not read, and parsers that say so by throwing. */
import { Effect, Schema } from "effect"

/** The bytes are damaged, or nothing that is read here. */
export class WeightsFileInvalid extends Schema.TaggedError<WeightsFileInvalid>()("WeightsFileInvalid", {
  /** What the file is by its first bytes. */
  format: Schema.Literals(["safetensors", "PyTorch", "unknown"]),
  reason: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    const what = this.format === "unknown" ? "This file" : `This ${this.format} file`
    return `${what} cannot be read: ${this.reason}. ${this.remedy}`
  }
}

/** A pickle names a function or class that weights have no need of; nothing of it was run. */
export class ForbiddenGlobal extends Schema.TaggedError<ForbiddenGlobal>()("ForbiddenGlobal", {
  /** "posix.system" */
  global: Schema.String
}) {
  override get message() {
    return (
      `This PyTorch file asks for "${this.global}", which is not among the few names that weights need, so ` +
      "nothing of it was read. If you trust the file, load it in Python and save the weights alone: " +
      "torch.save(model.state_dict(), path)."
    )
  }
}

export type WeightsFileError = WeightsFileInvalid | ForbiddenGlobal

const fetchAgain = "Fetch it again; if that does not help, save it again."

export const refusedSafetensors = (reason: string, remedy = fetchAgain): WeightsFileInvalid =>
  new WeightsFileInvalid({ format: "safetensors", reason, remedy })

export const refusedTorch = (reason: string, remedy = fetchAgain): WeightsFileInvalid =>
  new WeightsFileInvalid({ format: "PyTorch", reason, remedy })

/** Runs a parser that throws its refusals; whatever else it throws is a mistake of ours. */
export const parsing = <A>(parse: () => A): Effect.Effect<A, WeightsFileError> =>
  Effect.try({ try: parse, catch: (thrown) => thrown }).pipe(
    Effect.catch((thrown) =>
      thrown instanceof WeightsFileInvalid || thrown instanceof ForbiddenGlobal
        ? Effect.fail(thrown)
        : Effect.die(thrown)
    )
  )
