import { wasmKernelNames } from "../../../infra/tensorflow/portable/kernels.ts"
import { kernelSuite } from "../../suites/kernels.ts"
import { portable } from "../../support/runtimes.ts"

kernelSuite({ runtime: portable, precision: "float32", kernels: wasmKernelNames })
