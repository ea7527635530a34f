/** What each trick gains a ResNet-8 in 8 epochs. */
import { pipeline } from "./ablation.pipeline.ts"
import { ablationExperiment } from "./ablationExperiment.ts"

export const experiment = ablationExperiment({
  name: "ablation",
  question: "What does each trick gain a ResNet-8? (JPEG copies of CIFAR-10, 8 epochs, batch 128)",
  pipeline,
  tricks: ["warmup", "zero-gamma", "no-bias-decay", "bf16", "cosine", "label-smoothing", "distill", "mixup"],
  given: []
})
