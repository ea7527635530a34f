/** From the scores and boxes of all anchors to a short list: greedy non-maximum suppression per class. */
import { pairIou } from "./iou.ts"

export interface Detection {
  /** `[y1, x1, y2, x2]`, absolute pixels */
  readonly box: readonly [y1: number, x1: number, y2: number, x2: number]
  readonly classIndex: number
  /** 0…1 */
  readonly score: number
}

/**
 * Indices of the boxes `[B, 4]` that survive, by falling score (equal scores: by index). A box goes when its
 * IoU with a survivor of higher score is above `iouThreshold`.
 */
export const nonMaxSuppression = (
  boxes: Float32Array,
  scores: ArrayLike<number>,
  iouThreshold: number
): ReadonlyArray<number> => {
  const order = Array.from({ length: boxes.length / 4 }, (_, index) => index)
  order.sort((a, b) => scores[b]! - scores[a]! || a - b)
  const kept: Array<number> = []
  for (const candidate of order) {
    if (kept.every((survivor) => pairIou(boxes, survivor, boxes, candidate) <= iouThreshold)) {
      kept.push(candidate)
    }
  }
  return kept
}

export interface DetectionOptions {
  /** `[A, 4]`, decoded and clipped; those without area are passed over. */
  readonly boxes: Float32Array
  /** `[A, K]`, 0…1 */
  readonly scores: Float32Array
  readonly numClasses: number
  /** Scores up to this one are passed over; 0.05. */
  readonly scoreThreshold?: number
  /** So many pairs of anchor and class, those of the highest scores, go into the suppression; 1000. */
  readonly topK?: number
  /** 0.5 */
  readonly iouThreshold?: number
  /** So many come out at most; 100, as COCO counts. */
  readonly maxDetections?: number
}

/**
 * The detections of one image by falling score. Boxes of different classes do not suppress each other; one
 * anchor may speak for several classes. Equal scores: the earlier anchor first, then the lower class.
 */
export const selectDetections = (options: DetectionOptions): ReadonlyArray<Detection> => {
  const { boxes, scores, numClasses, iouThreshold = 0.5, maxDetections = 100 } = options
  const kept: Array<number> = []
  const keptOf = new Map<number, Array<number>>()
  for (const pair of candidatesOf(options)) {
    if (kept.length === maxDetections) break
    const [anchor, classIndex] = [Math.floor(pair / numClasses), pair % numClasses]
    const rivals = keptOf.get(classIndex) ?? []
    if (rivals.some((rival) => pairIou(boxes, rival, boxes, anchor) > iouThreshold)) continue
    keptOf.set(classIndex, [...rivals, anchor])
    kept.push(pair)
  }
  return kept.map((pair) => {
    const start = Math.floor(pair / numClasses) * 4
    const [y1, x1, y2, x2] = boxes.subarray(start, start + 4)
    return { box: [y1!, x1!, y2!, x2!], classIndex: pair % numClasses, score: scores[pair]! }
  })
}

/** The pairs `anchor × numClasses + class` worth a look, by falling score. */
const candidatesOf = (options: DetectionOptions): ReadonlyArray<number> => {
  const { boxes, scores, numClasses, scoreThreshold = 0.05, topK = 1000 } = options
  const pairs: Array<number> = []
  for (let pair = 0; pair < scores.length; pair++) {
    if (scores[pair]! > scoreThreshold && hasArea(boxes, Math.floor(pair / numClasses) * 4)) pairs.push(pair)
  }
  return pairs.sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, topK)
}

const hasArea = (boxes: Float32Array, start: number): boolean =>
  boxes[start + 2]! > boxes[start]! && boxes[start + 3]! > boxes[start + 1]!
