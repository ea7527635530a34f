/**
 * The gradients that tfjs lacks or has wrong, put right for every backend. They belong to kernels and not to
 * backends, so they are registered once a process.
 */
import { convolutions } from "./convolution.ts"
import { crops } from "./crop.ts"
import { elementwise } from "./elementwise.ts"
import type { Gradient } from "./Gradient.ts"
import { indexing } from "./indexing.ts"
import { products } from "./products.ts"
import { scan } from "./scan.ts"

const gradients: ReadonlyArray<Gradient> = [
  ...elementwise,
  ...scan,
  ...indexing,
  ...convolutions,
  ...crops,
  ...products
]

export const registerGradients = (): void => {
  for (const { register } of gradients) register()
}
