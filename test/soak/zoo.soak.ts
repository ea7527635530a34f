/** Networks against PyTorch's that take too long for `npm test`, or resemble those that are there. */
import { describe } from "@effect/vitest"
import { zooSuite } from "../suites/zoo.ts"

const resnet = { family: "resnet", width: 64 } as const

describe("resnet", () => {
  zooSuite("resnet18-d", { ...resnet, depth: 18, variant: "D" })
  zooSuite("resnet50-b", { ...resnet, depth: 50 })
  zooSuite("resnet50-b-dilated", { ...resnet, depth: 50, outputStride: 8 })
  zooSuite("resnet152-d", { ...resnet, depth: 152, variant: "D" })
})
