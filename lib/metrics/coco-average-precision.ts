/**
 * Average precision as COCO counts it, equal to pycocotools' `COCOeval` of boxes: the mean over the IoU
 * thresholds 0.50, 0.55 … 0.95 of the mean precision at 101 recalls, 100 detections per image and class.
 *
 * A difficult box is what pycocotools calls ignored (not a crowd): it forgives one detection that matches no
 * other box. Sizes are areas of boxes; those of COCO's own files are areas of outlines.
 */
import { boxAreas, boxIou } from "../boxes/iou.ts"
import { type ClassImage, type EvaluatedImage, imageOfClass, meanOfKnown } from "./detection.ts"

export const COCO_101_POINT = "COCO AP@[.50:.05:.95], 101-point"

export interface CocoOptions {
  readonly images: ReadonlyArray<EvaluatedImage>
  readonly numClasses: number
}

/** Fractions 0…1; `null` where there are no truths that count. */
export interface CocoClassRow {
  readonly ap: number | null
  readonly ap50: number | null
  readonly ap75: number | null
  /** The fraction of truths found by 100 detections an image, mean over the IoU thresholds. */
  readonly ar100: number | null
  /** Without the difficult ones. */
  readonly numTruths: number
}

export interface CocoAveragePrecision {
  readonly protocol: typeof COCO_101_POINT
  /** Means over the classes that have truths (of that size). */
  readonly ap: number | null
  readonly ap50: number | null
  readonly ap75: number | null
  /** Of boxes up to 32² pixels, from 32² to 96², and from 96² on. */
  readonly apSmall: number | null
  readonly apMedium: number | null
  readonly apLarge: number | null
  readonly ar100: number | null
  readonly perClass: ReadonlyArray<CocoClassRow>
}

export const cocoAveragePrecision = ({ images, numClasses }: CocoOptions): CocoAveragePrecision => {
  const bySize = Array.from({ length: numClasses }, (_, classIndex) => {
    const prepared = images.map((image) => prepare(imageOfClass(image, classIndex)))
    return AREAS.map((area) => scoresOf(prepared, area))
  })
  const perClass = bySize.map(([all]): CocoClassRow => {
    const { precisions, recalls, numTruths } = all!
    return {
      ap: meanOfKnown(precisions),
      ap50: precisions[0] ?? null,
      ap75: precisions[5] ?? null,
      ar100: meanOfKnown(recalls),
      numTruths
    }
  })
  const ofSize = (size: number) =>
    meanOfKnown(bySize.map((sizes) => meanOfKnown(sizes[size]?.precisions ?? [])))
  return {
    protocol: COCO_101_POINT,
    ap: meanOfKnown(perClass.map(({ ap }) => ap)),
    ap50: meanOfKnown(perClass.map(({ ap50 }) => ap50)),
    ap75: meanOfKnown(perClass.map(({ ap75 }) => ap75)),
    apSmall: ofSize(1),
    apMedium: ofSize(2),
    apLarge: ofSize(3),
    ar100: meanOfKnown(perClass.map(({ ar100 }) => ar100)),
    perClass
  }
}

/** Made as NumPy's `linspace` makes them, to the last bit: IoUs and recalls may lie on a threshold. */
const evenly = (from: number, to: number, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, index) =>
    index === count - 1 ? to : from + index * ((to - from) / (count - 1))
  )

const IOU_THRESHOLDS = evenly(0.5, 0.95, 10)
const RECALLS = evenly(0, 1, 101)
const MAX_DETECTIONS = 100
/** All, small, medium, large: square pixels, both ends belong to it. */
const AREAS: ReadonlyArray<readonly [low: number, high: number]> = [
  [0, 1e10],
  [0, 32 ** 2],
  [32 ** 2, 96 ** 2],
  [96 ** 2, 1e10]
]

interface Prepared extends ClassImage {
  /** `[D, B]` of the best 100 detections */
  readonly ious: Float64Array
  readonly detectionAreas: Float64Array
  readonly truthAreas: Float64Array
}

const prepare = (image: ClassImage): Prepared => {
  const scores = image.scores.slice(0, MAX_DETECTIONS)
  const detectionBoxes = image.detectionBoxes.subarray(0, MAX_DETECTIONS * 4)
  return {
    ...image,
    scores,
    detectionBoxes,
    ious: boxIou(detectionBoxes, image.truthBoxes),
    detectionAreas: boxAreas(detectionBoxes),
    truthAreas: boxAreas(image.truthBoxes)
  }
}

/** For each IoU threshold the mean precision at 101 recalls, and the recall reached; empty without truths. */
interface ClassScores {
  readonly precisions: ReadonlyArray<number>
  readonly recalls: ReadonlyArray<number>
  readonly numTruths: number
}

const scoresOf = (images: ReadonlyArray<Prepared>, area: readonly [number, number]): ClassScores => {
  const outside = (value: number) => value < area[0] || value > area[1]
  const ignored = images.map(({ difficult, truthAreas }) =>
    difficult.map((is, truth) => is || outside(truthAreas[truth]!))
  )
  const numTruths = ignored.flat().filter((is) => !is).length
  if (numTruths === 0) return { precisions: [], recalls: [], numTruths }
  const summaries = IOU_THRESHOLDS.map((threshold) => {
    const outcomes = images.flatMap((image, index) =>
      matchImage(image, ignored[index]!, threshold).flatMap((kind, detection) => {
        const counts = kind === "right" || (kind === "wrong" && !outside(image.detectionAreas[detection]!))
        return counts ? [{ score: image.scores[detection]!, right: kind === "right" }] : []
      })
    )
    outcomes.sort((a, b) => b.score - a.score)
    return summarize(
      outcomes.map(({ right }) => right),
      numTruths
    )
  })
  return {
    precisions: summaries.map(({ precision }) => precision),
    recalls: summaries.map(({ recall }) => recall),
    numTruths
  }
}

/** What becomes of each detection: best score first, each takes the free truth it overlaps most. */
const matchImage = (
  { scores, ious, difficult }: Prepared,
  ignored: ReadonlyArray<boolean>,
  threshold: number
): ReadonlyArray<"right" | "wrong" | "ignored"> => {
  const numTruths = difficult.length
  const taken = new Set<number>()
  return scores.map((_, detection) => {
    // Truths that count come first; only who finds none of them may take one that does not.
    for (const wanted of [false, true]) {
      let [best, bestIou] = [-1, Math.min(threshold, 1 - 1e-10)]
      for (let truth = 0; truth < numTruths; truth++) {
        const iou = ious[detection * numTruths + truth]!
        if (ignored[truth] !== wanted || taken.has(truth) || iou < bestIou) continue
        ;[best, bestIou] = [truth, iou]
      }
      if (best < 0) continue
      taken.add(best)
      return wanted ? "ignored" : "right"
    }
    return "wrong"
  })
}

const summarize = (right: ReadonlyArray<boolean>, numTruths: number) => {
  let found = 0
  const recalls: Array<number> = []
  const envelope: Array<number> = []
  right.forEach((is, index) => {
    found += is ? 1 : 0
    recalls.push(found / numTruths)
    envelope.push(found / (index + 1 + Number.EPSILON))
  })
  for (let index = envelope.length - 2; index >= 0; index--) {
    envelope[index] = Math.max(envelope[index]!, envelope[index + 1]!)
  }
  let sum = 0
  let at = 0
  for (const recall of RECALLS) {
    while (at < recalls.length && recalls[at]! < recall) at++
    sum += envelope[at] ?? 0
  }
  return { precision: sum / RECALLS.length, recall: found / numTruths }
}
