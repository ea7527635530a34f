/**
 * Fashion-MNIST, teacher and all as in `pipelines/fashion-mnist.ts`: a student with a thirteenth of its
 * teacher's MACs with and without it, a pair for each seed.
 */
import * as Pipeline from "../../lib/workflow/Pipeline.ts"
import { images, prepared, small, teacher, training } from "../../pipelines/fashion-mnist.ts"
import { Distill } from "../../stages/distill.ts"
import { Evaluate } from "../../stages/evaluate.ts"
import { Pretrain } from "../../stages/pretrain.ts"

export const seeds = [1, 2, 3, 4, 5] as const

const evaluate = (model: typeof teacher) => Evaluate({ params: {}, inputs: { model, dataset: prepared } })

const jobs = seeds.map((seed) => {
  const seeded = { ...training, precision: "float32", seed } as const
  const alone = Pretrain({ params: { architecture: small, training: seeded }, inputs: { dataset: prepared } })
  const taught = Distill({
    params: { architecture: small, training: seeded, temperature: 4 },
    inputs: { dataset: prepared, teacher }
  })
  return {
    [`alone-${seed}`]: alone,
    [`taught-${seed}`]: taught,
    [`evaluate-alone-${seed}`]: evaluate(alone),
    [`evaluate-taught-${seed}`]: evaluate(taught)
  }
})

export const pipeline = Pipeline.make(
  "distillation",
  "Fashion-MNIST: a student with and without its teacher, a pair for each seed (8 minutes each on 2 cores)",
  { images, prepared, teacher, "evaluate-teacher": evaluate(teacher), ...Object.assign({}, ...jobs) }
)
