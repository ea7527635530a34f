import { kernelSuite } from "../../suites/kernels.ts"
import { tfjsNodeEager } from "../../support/tfjsNodeEager.ts"

/** It knows no explicit padding; in gradients no dilations and half-pixel centres; no axis from the end. */
const wrong = new RegExp(
  [
    "^(conv2d|depthwiseConv2d|conv2dTranspose|maxPool|avgPool), .*padded",
    "^(conv2d|depthwiseConv2d), dilated (by [23] (same|valid)|2x1)$",
    "^(conv2d|depthwiseConv2d) of any geometry$",
    "^maxPoolHalving of (even sizes|an even)",
    "^resize.*(half-pixel|segmenters)",
    "^gather along the last axis$"
  ].join("|")
)

kernelSuite({ runtime: tfjsNodeEager, precision: "float32", wrong, kernels: [] })
