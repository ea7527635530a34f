import { Schema } from "effect"

/** Files that can be read one by one, but do not make a dataset. */
export class DatasetInvalid extends Schema.TaggedError<DatasetInvalid>()("DatasetInvalid", {
  dataset: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `Dataset "${this.dataset}" cannot be used: ${this.reason}`
  }
}

/**
 * A folder or an archive whose content is not, or not yet, the one that the pipeline names, or not any more
 * the one that the run was planned with.
 */
export class FolderChanged extends Schema.TaggedError<FolderChanged>()("FolderChanged", {
  path: Schema.String,
  expected: Schema.NullOr(Schema.String),
  by: Schema.Literals(["pipeline", "plan"]),
  found: Schema.String
}) {
  override get message() {
    if (this.by === "plan") {
      const why = "were changed since the run was planned"
      return `The files of "${this.path}" ${why}: run again when they are at rest.`
    }
    const why =
      this.expected === null
        ? "their content is not named in the pipeline, so a result could not be told from one of other files"
        : `their content is not ${this.expected}, which the pipeline names`
    const remedy = `To use them as they are now, write digest: "${this.found}" in the pipeline.`
    return `The files of "${this.path}": ${why}. ${remedy}`
  }
}
