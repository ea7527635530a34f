/** What the variants B, C and D gain a narrow ResNet-50 on images of 64 pixels. */
import { bottleneckPipeline } from "./ablation.pipeline.ts"
import { ablationExperiment } from "./ablationExperiment.ts"

export const experiment = ablationExperiment({
  name: "ablation-variants",
  question:
    "What do the variants B, C and D gain a ResNet-50 of width 16? (JPEG copies of CIFAR-10 at 64 pixels, " +
    "8 epochs, the efficient training of table 4)",
  pipeline: bottleneckPipeline,
  tricks: ["resnet-b", "resnet-c", "resnet-d"],
  given: ["warmup", "zero-gamma", "no-bias-decay", "bf16"]
})
