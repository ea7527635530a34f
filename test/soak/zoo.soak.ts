/** Networks against PyTorch's that take too long for `npm test`, or resemble those that are there. */
import { describe } from "@effect/vitest"
import { InceptionV3 } from "../../lib/models/Architecture.ts"
import { zooSuite } from "../suites/zoo.ts"

const resnet = { family: "resnet", width: 64 } as const

describe("resnet", () => {
  zooSuite("resnet18-d", { ...resnet, depth: 18, variant: "D" })
  zooSuite("resnet50-b", { ...resnet, depth: 50 })
  zooSuite("resnet50-b-dilated", { ...resnet, depth: 50, outputStride: 8 })
  zooSuite("resnet152-d", { ...resnet, depth: 152, variant: "D" })
})

describe("inception-v3", () => {
  // Of 299 pixels, which the auxiliary classifier takes.
  zooSuite(
    "inception-v3-auxiliary",
    InceptionV3.make({ family: "inception-v3", auxiliary: true, dropout: 0 })
  )
})
