/**
 * What He et al. 2018 (arXiv 1812.01187) report of each trick on ImageNet, in per cent top-1. Most of these
 * figures are recalled: the paper could not be read again, ± 0.05 is possible. The others are confirmed by
 * pages that quote the paper, or by the weights that its authors published.
 */
import type { TrickName } from "../train/tricks.ts"

/** One accuracy, and whether it is only recalled. */
export interface PaperFigure {
  readonly top1: number
  readonly isRecalled: boolean
}

/** A trick in one column of one table: the row with it against the row before it. */
export interface PaperGain {
  readonly table: 4 | 5 | 6
  readonly model: string
  readonly before: PaperFigure
  readonly after: PaperFigure
}

const recalled = (top1: number): PaperFigure => ({ top1, isRecalled: true })
const confirmed = (top1: number): PaperFigure => ({ top1, isRecalled: false })

/** Neighbours of a column. */
const gain = (
  table: PaperGain["table"],
  model: string,
  column: ReadonlyArray<PaperFigure>,
  row: number,
  over = row - 1
): PaperGain => ({ table, model, before: column[over]!, after: column[row]! })

/** Rows: linear scaling, + LR warm-up, + zero γ, + no bias decay, + FP16. */
const table4 = [
  ["ResNet-50, batch 256", [75.87, 76.03, 76.19, 76.16, 76.15].map(recalled)],
  ["ResNet-50, batch 1024", [75.17, 75.93, 76.37, 76.03, 76.21].map(recalled)]
] as const

/** Rows: A, B, C, D. */
const table5 = [["ResNet-50", [recalled(76.21), recalled(76.66), recalled(76.87), confirmed(77.16)]]] as const

/** Rows: efficient, + cosine, + label smoothing, + distillation, + mixup without it, + mixup with it. */
const table6 = [
  [
    "ResNet-50-D",
    [confirmed(77.16), ...[77.91, 78.31, 78.67].map(recalled), confirmed(79.15), confirmed(79.29)]
  ],
  ["Inception-V3", [...[77.5, 78.19, 78.4, 78.26].map(recalled), confirmed(78.77), recalled(78.34)]],
  [
    "MobileNet",
    [recalled(71.9), recalled(72.83), confirmed(72.93), recalled(71.97), confirmed(73.28), recalled(72.51)]
  ]
] as const

type Table = ReadonlyArray<readonly [model: string, column: ReadonlyArray<PaperFigure>]>

const gains = (table: PaperGain["table"], columns: Table, row: number, over?: number) =>
  columns.map(([model, column]) => gain(table, model, column, row, over))

const alone: { readonly [N in TrickName]: ReadonlyArray<PaperGain> } = {
  warmup: gains(4, table4, 1),
  "zero-gamma": gains(4, table4, 2),
  "no-bias-decay": gains(4, table4, 3),
  bf16: gains(4, table4, 4),
  "resnet-b": gains(5, table5, 1),
  "resnet-c": gains(5, table5, 2),
  "resnet-d": gains(5, table5, 3),
  cosine: gains(6, table6, 1),
  "label-smoothing": gains(6, table6, 2),
  distill: gains(6, table6, 3),
  mixup: gains(6, table6, 4, 2)
}

/** The paper's last row, "distill w/ mixup", against the two that lack one of them. */
const besides: { readonly [N in TrickName]?: ReadonlyArray<PaperGain> } = {
  distill: gains(6, table6, 5, 4),
  mixup: gains(6, table6, 5, 3)
}

/** A row's counterparts in the paper, a column each; none for a baseline. */
export const paperGainsOf = (row: {
  readonly trick: TrickName | null
  readonly besides: TrickName | null
}): ReadonlyArray<PaperGain> => {
  if (row.trick === null) return []
  return (row.besides === null ? undefined : besides[row.trick]) ?? alone[row.trick]
}

/** Table 3: batch 1024 in FP16 with all of table 4 against batch 256 in FP32 with none. */
export interface EfficientTraining {
  readonly model: string
  readonly before: PaperFigure
  readonly after: PaperFigure
  readonly minutesPerEpoch: {
    readonly before: number
    readonly after: number
    readonly isRecalled: boolean
  }
}

export const efficientTraining: ReadonlyArray<EfficientTraining> = [
  {
    model: "ResNet-50",
    before: recalled(75.87),
    after: recalled(76.21),
    minutesPerEpoch: { before: 13.3, after: 4.4, isRecalled: false }
  },
  {
    model: "Inception-V3",
    before: recalled(77.32),
    after: recalled(77.5),
    minutesPerEpoch: { before: 19.8, after: 8, isRecalled: true }
  },
  {
    model: "MobileNet",
    before: recalled(69.03),
    after: recalled(71.9),
    minutesPerEpoch: { before: 6.2, after: 3.7, isRecalled: true }
  }
]
