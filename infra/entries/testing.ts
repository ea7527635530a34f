/**
 * `distillery/testing`: stages and pipelines of one's own under test, in this process and in memory.
 *
 *   const { value } = await runStage(ClassBalance, { params: {}, inputs: { dataset }, store })
 *   const { states, outputOf } = await runPipeline(pipeline)
 *
 * Services are the real ones; tensors are on the portable backend, the same on every machine.
 */
export { type MemoryStore, makeMemoryStore } from "../testing/memoryStore.ts"
export {
  PipelineFailed,
  type PipelineOptions,
  type PipelineRun,
  runPipeline
} from "../testing/runPipeline.ts"
export { runStage, type StageArgs, type StageRun } from "../testing/runStage.ts"
