/** The pipelines by the names they have on the command line: the only list of them. */
import type { Pipeline } from "../lib/workflow/Pipeline.ts"

export interface PipelineModule {
  readonly pipeline: Pipeline
}

export const pipelines: { readonly [name: string]: () => Promise<PipelineModule> } = {
  quickstart: () => import("./quickstart.ts"),
  "fashion-mnist": () => import("./fashion-mnist.ts"),
  cifar10: () => import("./cifar10.ts"),
  imagenet: () => import("./imagenet.ts"),
  "detection-bccd": () => import("./detection-bccd.ts"),
  "segmentation-camvid": () => import("./segmentation-camvid.ts")
}
