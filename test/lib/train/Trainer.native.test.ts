import { trainerSuite } from "../../suites/trainer.ts"
import { nativeRuntimeForTests } from "../../support/nativeRuntime.ts"

for (const precision of ["float32", "bfloat16"] as const) {
  trainerSuite(`the Trainer on TensorFlow, ${precision}`, nativeRuntimeForTests(2), precision)
}
