/**
 * `distillery`: what stages and pipelines of one's own are written with.
 *
 * Light: it loads neither tensors nor files. The stages we ship are entries of their own
 * (`distillery/stages/ingest`, ...), so that a pipeline loads only the contracts it uses.
 */
export { DatasetInvalid } from "../../lib/data/DatasetInvalid.ts"
export { ImageCodec } from "../../lib/data/ImageCodec.ts"
export { SourceFiles } from "../../lib/data/SourceFiles.ts"
export { withDefault } from "../../lib/models/withDefault.ts"
export { BlobCorrupt, BlobRef, BlobStore } from "../../lib/storage/BlobStore.ts"
export { Digest, Hasher } from "../../lib/storage/Digest.ts"
export type { StoreError } from "../../lib/storage/ObjectStore.ts"
export * as Artifact from "../../lib/workflow/Artifact.ts"
export { JobContext, JobStopped, Progress } from "../../lib/workflow/JobContext.ts"
export * as Pipeline from "../../lib/workflow/Pipeline.ts"
export * as Stage from "../../lib/workflow/Stage.ts"
