import { describe } from "@effect/vitest"
import { trainerSuite } from "../../suites/trainer.ts"
import { native } from "../../support/runtimes.ts"

describe.skipIf(native.skipped !== "")(`on the native runtime${native.skipped}`, () => {
  for (const precision of ["float32", "bfloat16"] as const) {
    trainerSuite(`the Trainer on TensorFlow, ${precision}`, native.layer, precision)
  }
})
