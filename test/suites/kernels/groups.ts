/** All cases, by what the operations do. */
import { array } from "./array.ts"
import { binary } from "./binary.ts"
import { convolutions } from "./convolution.ts"
import { elementwise } from "./elementwise.ts"
import { indexing } from "./indexing.ts"
import type { KernelGroup } from "./KernelProperty.ts"
import { normalisedConvolutions } from "./normalised-convolution.ts"
import { pooling } from "./pooling.ts"
import { matrixProducts } from "./products.ts"
import { reduce } from "./reduce.ts"
import { training } from "./training.ts"

export const groups: { readonly [name: string]: KernelGroup } = {
  "element-wise": elementwise,
  binary,
  reduce,
  array,
  indexing,
  convolutions,
  "normalised convolutions": normalisedConvolutions,
  pooling,
  products: matrixProducts,
  training
}
