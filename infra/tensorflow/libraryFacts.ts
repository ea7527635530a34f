/** What a loaded library says of itself, and whether CUDA's driver can be loaded. */
import koffi from "koffi"

/**
 * Whether TensorFlow computes with oneDNN, which more than halves the time of a step on CPUs. Asked of a C++
 * function, as the C API does not say; `undefined` where a release does not have it.
 */
export const usesOneDnn = (framework: string): boolean | undefined => {
  try {
    return koffi.load(framework).func("bool _ZN10tensorflow12IsMKLEnabledEv()")() as boolean
  } catch {
    return undefined
  }
}

/** Why the driver's own library cannot be loaded, if it cannot. */
export const cudaDriverFailure = (): string | undefined => {
  try {
    const initialise = koffi.load("libcuda.so.1").func("int cuInit(unsigned int)")
    const code = initialise(0) as number
    return code === 0 ? undefined : `CUDA's driver answers with error ${code}`
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}
