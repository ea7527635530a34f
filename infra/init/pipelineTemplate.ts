/** The pipeline of a new project: choices only, to be changed by hand. */
import { type FirstParams, testFraction } from "./firstParams.ts"

export interface PipelineFacts {
  /** Kebab-case. */
  readonly name: string
  /** What is told of it in one line. */
  readonly description: string
  /** The folder of the images, from the project's, with `/`. */
  readonly images: string
  readonly params: FirstParams
}

/** A string as TypeScript reads it. */
const literal = (text: string): string => JSON.stringify(text)

/** A path as it stands in a template literal. */
const pathText = (path: string): string => path.replaceAll(/[\\`]|\$\{/g, "\\$&")

export const pipelineModule = ({ description, images, name, params }: PipelineFacts): string => `/**
 * ${description.replaceAll("*/", "* /")}
 *
 *   npx distillery run ./my-pipeline.ts
 */
import { Pipeline } from "distillery"
import { Evaluate } from "distillery/stages/evaluate"
import { Ingest } from "distillery/stages/ingest"
import { Preprocess } from "distillery/stages/preprocess"
import { Pretrain } from "distillery/stages/pretrain"
import { WriteReport } from "distillery/stages/report"
import { ClassBalance } from "./stages/class-balance.ts"

/** One folder a class. A part of every class is set aside for the test, unless there is a folder \`test\`. */
const images = Ingest({
  params: {
    source: {
      _tag: "ImageFolder",
      path: \`\${import.meta.dirname}/${pathText(images)}\`,
      testFraction: ${testFraction}
    }
  },
  inputs: {}
})

const prepared = Preprocess({
  params: { height: ${params.size}, width: ${params.size}, channels: 3, validation: ${params.validation} },
  inputs: { dataset: images }
})

/** A stage of your own. */
const balance = ClassBalance({ params: {}, inputs: { dataset: prepared } })

const model = Pretrain({
  params: {
    architecture: ${params.architecture},
    training: {
      epochs: ${params.epochs},
      batchSize: ${params.batchSize},
      learningRate: ${params.learningRate},
      warmupEpochs: 2,
      labelSmoothing: 0.1,
      augment: { pad: ${params.size / 8}, flip: true }
    }
  },
  inputs: { dataset: prepared }
})

const evaluation = Evaluate({ params: {}, inputs: { model, dataset: prepared } })

const report = WriteReport({
  params: { title: ${literal(description)} },
  inputs: { evaluations: { model: evaluation }, models: { model }, datasets: { model: prepared } }
})

export const pipeline = Pipeline.make(${literal(name)}, ${literal(description)}, {
  images,
  prepared,
  balance,
  model,
  evaluation,
  report
})
`
