import { tf } from "../../../lib/tensor/tf.ts"
void tf
export const registerPortableKernels = (_backendName: string): void => {}
