/** What children see of the environment: an allow-list. */

/** Proxies and certificates are for files fetched by a job. */
const network =
  "HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy|" +
  "NODE_USE_(?:ENV_PROXY|SYSTEM_CA)|NODE_EXTRA_CA_CERTS|SSL_CERT_.*"
/** Where the driver of a GPU lies, and which of them may be used. */
const gpu = "LD_LIBRARY_PATH|CUDA_.*"
const allowed = new RegExp(
  `^(PATH|HOME|TMPDIR|LANG|XDG_CACHE_HOME|DISTILLERY_(?!KEY$).*|AWS_.*|${network}|${gpu})$`
)

/**
 * Threads of libuv's pool where a step is split over `threads`: one waits for the step, and decoding images
 * shall not stand still meanwhile.
 */
export const numPoolThreads = (threads: number): number => threads + 2

/**
 * What glibc reads before the process starts. Huge pages (2.35 and later), where the kernel leaves that to
 * programs: training steps take 1.5 to 5 % less CPU. Whatever is large is mapped by itself, so that weights
 * that were handed over to the session go back to the system; if left alone, glibc stops to do so once it has
 * freed one of that size.
 */
const glibc = [
  "glibc.malloc.hugetlb=1",
  `glibc.malloc.mmap_threshold=${2 ** 20}`,
  `glibc.malloc.trim_threshold=${2 ** 25}`
].join(":")

/**
 * What a child may see of an environment. `numThreads` sizes libuv's pool, which native calls and sharp
 * share.
 */
export const childEnvironment = (
  environment: { readonly [name: string]: string | undefined },
  numThreads: number
): { readonly [name: string]: string } => ({
  ...Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value !== undefined && allowed.test(name) ? [[name, value]] : []
    )
  ),
  GLIBC_TUNABLES: environment.GLIBC_TUNABLES ?? glibc,
  UV_THREADPOOL_SIZE: String(numThreads)
})
