import { kernelNames } from "../../../infra/tensorflow/kernels/all.ts"
import { kernelSuite } from "../../suites/kernels.ts"
import { native, stockNative } from "../../support/runtimes.ts"

kernelSuite({ runtime: native, precision: "float32", kernels: kernelNames })
kernelSuite({ runtime: native, precision: "bfloat16", heavyOnly: true, kernels: [] })
kernelSuite({ runtime: stockNative, precision: "float32", heavyOnly: true, kernels: [] })
kernelSuite({ runtime: stockNative, precision: "bfloat16", heavyOnly: true, kernels: [] })
