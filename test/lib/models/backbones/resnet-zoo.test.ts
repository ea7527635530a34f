/** Both stems, both places of the stride, both shortcuts; the others are in `test/soak/zoo.soak.ts`. */
import { describe } from "@effect/vitest"
import { zooSuite } from "../../../suites/zoo.ts"

const resnet50 = { family: "resnet", depth: 50, width: 64 } as const

describe("resnet", () => {
  zooSuite("resnet50-a", { ...resnet50, variant: "A" })
  zooSuite("resnet50-d", { ...resnet50, variant: "D" })
})
