/** Truths and detections with known average precision. */
import type { EvaluatedImage } from "../../lib/metrics/detection.ts"
import { readGolden } from "./golden.ts"

interface StoredImage {
  readonly boxes: ReadonlyArray<number>
  readonly classes: ReadonlyArray<number>
  readonly difficult: ReadonlyArray<number>
  readonly detections: ReadonlyArray<number>
  readonly detectionClasses: ReadonlyArray<number>
  readonly scores: ReadonlyArray<number>
}

interface StoredCase {
  readonly images: ReadonlyArray<StoredImage>
  readonly coco: Readonly<Record<string, number | null>> & {
    readonly perClass: ReadonlyArray<Readonly<Record<string, number | null>>>
  }
  readonly vocAllPoint: ReadonlyArray<number | null>
  readonly vocElevenPoint: ReadonlyArray<number | null>
}

/** Forty images each, five classes; the second case has difficult boxes. */
export const goldenAveragePrecision = () => {
  const { numClasses, cases } = readGolden<{
    averagePrecision: { numClasses: number; cases: ReadonlyArray<StoredCase> }
  }>("detection").averagePrecision
  return { numClasses, cases: cases.map((stored) => ({ ...stored, images: stored.images.map(restored) })) }
}

const restored = (image: StoredImage): EvaluatedImage => ({
  truths: {
    boxes: Float32Array.from(image.boxes),
    classes: Int32Array.from(image.classes),
    difficult: Uint8Array.from(image.difficult)
  },
  detections: image.scores.map((score, index) => ({
    box: corners(image.detections.slice(index * 4, index * 4 + 4)),
    classIndex: image.detectionClasses[index]!,
    score
  }))
})

const corners = (values: ReadonlyArray<number>) =>
  values as ReadonlyArray<number> as readonly [number, number, number, number]

/** `[left, top, width, height]` → ours. Right and bottom are the last pixel there, as in VOC's files. */
const fromXywh = ([x, y, width, height]: ReadonlyArray<number>) => [y!, x!, y! + height! + 1, x! + width! + 1]

/**
 * Sample 2 of rafaelpadilla/Object-Detection-Metrics (MIT): 7 images, 15 boxes, 24 detections. Its README
 * gives AP 24.56 % by all points and 26.84 % by eleven at IoU 0.3.
 */
const sample = [
  {
    truths: ["25 16 38 56", "129 123 41 62"],
    detections: [".88 5 67 31 48", ".70 119 111 40 67", ".80 124 9 49 67"]
  },
  {
    truths: ["123 11 43 55", "38 132 59 45"],
    detections: [".71 64 111 64 58", ".54 26 140 60 47", ".74 19 18 43 35"]
  },
  {
    truths: ["16 14 35 48", "123 30 49 44", "99 139 47 47"],
    detections: [
      ".18 109 15 77 39",
      ".67 86 63 46 45",
      ".38 160 62 36 53",
      ".91 105 131 47 47",
      ".44 18 148 40 44"
    ]
  },
  {
    truths: ["53 42 40 52", "154 43 31 34"],
    detections: [".35 83 28 28 26", ".78 28 68 42 67", ".45 87 89 25 39", ".14 10 155 60 26"]
  },
  {
    truths: ["59 31 44 51", "48 128 34 52"],
    detections: [".62 50 38 28 46", ".44 95 11 53 28", ".95 29 131 72 29", ".23 29 163 72 29"]
  },
  {
    truths: ["36 89 52 76", "62 58 44 67"],
    detections: [".45 43 48 74 38", ".84 17 155 29 35", ".43 95 110 25 42"]
  },
  {
    truths: ["28 31 55 63", "58 67 50 58"],
    detections: [".48 16 20 101 88", ".95 33 116 37 49"]
  }
]

const numbersOf = (line: string) => line.split(" ").map(Number)

export const padilla: ReadonlyArray<EvaluatedImage> = sample.map(({ truths, detections }) => ({
  truths: {
    boxes: Float32Array.from(truths.flatMap((line) => fromXywh(numbersOf(line)))),
    classes: truths.map(() => 0),
    difficult: truths.map(() => 0)
  },
  detections: detections.map((line) => {
    const [score, ...xywh] = numbersOf(line)
    return { box: corners(fromXywh(xywh)), classIndex: 0, score: score! }
  })
}))
