/**
 * Average precision as Pascal VOC counts it (Everingham et al., IJCV 2010, §4.2; the development kit's
 * `VOCevaldet`). Boxes here end behind their last pixel, so the kit's "+ 1" on sizes has no place.
 */
import { pairIou } from "../boxes/iou.ts"
import { type EvaluatedImage, imageOfClass, meanOfKnown } from "./detection.ts"

/** The area under the precision that falls monotonically with recall: VOC 2010 and later. */
export const VOC_ALL_POINT = "VOC all-point"
/** The mean of that precision at recalls 0, 0.1 … 1: VOC 2007, a few hundredths different. */
export const VOC_ELEVEN_POINT = "VOC 11-point"
export type VocProtocol = typeof VOC_ALL_POINT | typeof VOC_ELEVEN_POINT

export interface VocOptions {
  readonly images: ReadonlyArray<EvaluatedImage>
  readonly numClasses: number
  /** `VOC_ALL_POINT` */
  readonly protocol?: VocProtocol
  /** A detection is right from this IoU on; 0.5. */
  readonly iouThreshold?: number
}

export interface VocClassRow {
  /** 0…1; `null` for a class without truths that count. */
  readonly ap: number | null
  /** Without the difficult ones. */
  readonly numTruths: number
  readonly numDetections: number
}

export interface VocAveragePrecision {
  readonly protocol: VocProtocol
  readonly iouThreshold: number
  /** Over the classes that have one; `null` if none has. */
  readonly meanAp: number | null
  readonly perClass: ReadonlyArray<VocClassRow>
}

/**
 * Each detection, best score first, is held against the truth it overlaps most: right if that one is not
 * taken yet, wrong if it is; on a difficult one it counts for nothing.
 */
export const vocAveragePrecision = (options: VocOptions): VocAveragePrecision => {
  const { images, numClasses, protocol = VOC_ALL_POINT, iouThreshold = 0.5 } = options
  const integrate = protocol === VOC_ALL_POINT ? areaUnderEnvelope : meanAtElevenRecalls
  const perClass = Array.from({ length: numClasses }, (_, classIndex): VocClassRow => {
    const { outcomes, numTruths } = judgeClass(images, classIndex, iouThreshold)
    const right = outcomes.filter(({ kind }) => kind !== "ignored").map(({ kind }) => kind === "right")
    return {
      ap: numTruths === 0 ? null : integrate(curveOf(right, numTruths)),
      numTruths,
      numDetections: outcomes.length
    }
  })
  return { protocol, iouThreshold, meanAp: meanOfKnown(perClass.map(({ ap }) => ap)), perClass }
}

interface Outcome {
  readonly score: number
  readonly kind: "right" | "wrong" | "ignored"
}

/** The detections of a class over all images, by falling score. */
const judgeClass = (images: ReadonlyArray<EvaluatedImage>, classIndex: number, iouThreshold: number) => {
  let numTruths = 0
  const outcomes = images.flatMap((image) => {
    const { truthBoxes, difficult, detectionBoxes, scores } = imageOfClass(image, classIndex)
    numTruths += difficult.filter((is) => !is).length
    const taken = new Set<number>()
    return scores.map((score, detection): Outcome => {
      const { truth, iou } = mostOverlapped(truthBoxes, detectionBoxes, detection)
      if (truth === undefined || iou < iouThreshold) return { score, kind: "wrong" }
      if (difficult[truth] === true) return { score, kind: "ignored" }
      if (taken.has(truth)) return { score, kind: "wrong" }
      taken.add(truth)
      return { score, kind: "right" }
    })
  })
  return { outcomes: outcomes.sort((a, b) => b.score - a.score), numTruths }
}

const mostOverlapped = (truthBoxes: Float32Array, detectionBoxes: Float32Array, detection: number) => {
  let best: { truth: number | undefined; iou: number } = { truth: undefined, iou: 0 }
  for (let truth = 0; truth < truthBoxes.length / 4; truth++) {
    const iou = pairIou(truthBoxes, truth, detectionBoxes, detection)
    if (iou > best.iou) best = { truth, iou }
  }
  return best
}

/** After each detection: the fraction of truths found, and the best precision from there on. */
interface Curve {
  readonly recalls: ReadonlyArray<number>
  readonly envelope: ReadonlyArray<number>
}

const curveOf = (right: ReadonlyArray<boolean>, numTruths: number): Curve => {
  let found = 0
  const points = right.map((is, index) => {
    found += is ? 1 : 0
    return { recall: found / numTruths, precision: found / (index + 1) }
  })
  let best = 0
  const envelope = points.map(({ precision }) => precision)
  for (let index = envelope.length - 1; index >= 0; index--) {
    best = Math.max(best, envelope[index]!)
    envelope[index] = best
  }
  return { recalls: points.map(({ recall }) => recall), envelope }
}

const areaUnderEnvelope = ({ recalls, envelope }: Curve): number =>
  envelope.reduce(
    (sum, precision, index) => sum + precision * (recalls[index]! - (recalls[index - 1] ?? 0)),
    0
  )

const meanAtElevenRecalls = ({ recalls, envelope }: Curve): number => {
  let sum = 0
  for (let tenth = 0; tenth <= 10; tenth++) {
    const first = recalls.findIndex((recall) => recall >= tenth / 10)
    sum += first < 0 ? 0 : envelope[first]!
  }
  return sum / 11
}
