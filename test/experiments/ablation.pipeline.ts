/**
 * What each trick of the paper gains, on JPEG copies of CIFAR-10: a ResNet-8 of 8 epochs, taught by the
 * ResNet-20 of `cifar10-jpg` (tables 3, 4 and 6); and for the variants of the network (table 5) a narrow
 * ResNet-50 on the same images at 64 pixels. As a command, in place of `npm run experiment`:
 *
 *   npx distillery ablate ./test/experiments/ablation.pipeline.ts --seeds 3
 */
import * as Pipeline from "../../lib/workflow/Pipeline.ts"
import { Distill } from "../../stages/distill.ts"
import { Preprocess } from "../../stages/preprocess.ts"
import { Pretrain } from "../../stages/pretrain.ts"
import { architecture, images, normalization, prepared, training } from "./cifar10-jpg.pipeline.ts"

const short = { ...training, epochs: 8 } as const

const teacher = Pretrain({
  params: { architecture, training: { ...training, seed: 0 } },
  inputs: { dataset: prepared }
})
const student = Distill({
  params: { architecture: { ...architecture, depth: 8 }, training: short, temperature: 4 },
  inputs: { dataset: prepared, teacher }
})

export const pipeline = Pipeline.make(
  "cifar10-jpg-8",
  "JPEG copies of CIFAR-10: a ResNet-20 teaches a ResNet-8 of 8 epochs",
  { images, prepared, teacher, student }
)

const enlarged = Preprocess({
  params: { height: 64, width: 64, channels: 3, normalization, validation: 0 },
  inputs: { dataset: images }
})
const bottlenecks = Pretrain({
  params: {
    architecture: { family: "resnet", depth: 50, width: 16 },
    training: { ...short, augment: { pad: 8, flip: true } }
  },
  inputs: { dataset: enlarged }
})

export const bottleneckPipeline = Pipeline.make(
  "cifar10-jpg-64",
  "JPEG copies of CIFAR-10 at 64 pixels: a narrow ResNet-50 of 8 epochs",
  { images, enlarged, bottlenecks }
)
