/**
 * What is fetched from the package index, known byte for byte: TensorFlow's wheels, of which only the shared
 * objects are kept. For GPUs also NVIDIA's own, in the oldest versions that TensorFlow's wheel names: the
 * ones it was built with.
 */

/** One wheel, and which of its files are wanted. */
export interface Wheel {
  /** What pip is asked for. */
  readonly requirement: string
  readonly sizeBytes: number
  readonly sha256: string
  readonly wanted: RegExp
}

export interface Release {
  readonly kind: "cpu" | "gpu"
  readonly version: string
  /** Its folder below `tensorflow` in the user's cache. */
  readonly folder: string
  /** Left out of the paths of unpacked files. */
  readonly prefix: string
  /** Where the library lies below `folder`. */
  readonly libraryFolder: string
  readonly wheels: ReadonlyArray<Wheel>
  /** Of all files that are kept. */
  readonly unpackedBytes: number
}

const LIBRARIES = /^tensorflow\/libtensorflow_(cc|framework)\.so\.2$/
const NVIDIA = /^nvidia\/\w+\/lib\/[^/]+\.so[.\d]*$/
/** What compiles kernels for devices that TensorFlow brings none for. */
const COMPILER = /^nvidia\/cuda_nvcc\/(bin\/ptxas|nvvm\/.+\.(bc|so))$/

const cpu: Release = {
  kind: "cpu",
  version: "2.21.0",
  folder: "2.21.0-cpu-linux-x64",
  prefix: "tensorflow/",
  libraryFolder: ".",
  wheels: [
    {
      requirement: "tensorflow-cpu==2.21.0",
      sizeBytes: 274_000_871,
      sha256: "dcc8afd32930e42d5296b6ee19078b773706830af4ea97fbe503b9f5e0f820cb",
      wanted: LIBRARIES
    }
  ],
  unpackedBytes: 853_308_936
}

const nvidia = (name: string, version: string, sizeBytes: number, sha256: string): Wheel => ({
  requirement: `nvidia-${name}-cu12==${version}`,
  sizeBytes,
  sha256,
  wanted: name === "cuda-nvcc" ? COMPILER : NVIDIA
})

/** The library's RUNPATH leads to `../nvidia/<package>/lib`, as pip lays them out. */
const gpu: Release = {
  kind: "gpu",
  version: "2.21.0",
  folder: "2.21.0-gpu-linux-x64",
  prefix: "",
  libraryFolder: "tensorflow",
  wheels: [
    {
      requirement: "tensorflow==2.21.0",
      sizeBytes: 572_611_111,
      sha256: "b3b95643c4e70eb925839938fb35cbe142f317ec84af6844ee61513713bb13c0",
      wanted: LIBRARIES
    },
    nvidia(
      "cublas",
      "12.5.3.2",
      363_313_169,
      "ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b"
    ),
    nvidia(
      "cuda-cupti",
      "12.5.82",
      13_811_507,
      "bde77a5feb66752ec61db2adfe47f56b941842825b4c7e2068aff27c9d107953"
    ),
    nvidia(
      "cuda-nvcc",
      "12.5.82",
      22_468_537,
      "b03e545b8e8c3ce7ebcd7fc44063180ff52ff01d064ece2127ed90a04ef12cd0"
    ),
    nvidia(
      "cuda-nvrtc",
      "12.5.82",
      24_873_108,
      "3dbd97b0104b4bfbc3c4f8c79cd2496307c89c43c29a9f83125f1d76296ff3fd"
    ),
    nvidia(
      "cuda-runtime",
      "12.5.82",
      895_707,
      "3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115"
    ),
    nvidia(
      "cudnn",
      "9.3.0.75",
      577_163_502,
      "9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d"
    ),
    nvidia(
      "cufft",
      "11.2.3.61",
      192_524_114,
      "9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8"
    ),
    nvidia(
      "curand",
      "10.3.6.82",
      56_309_107,
      "2823fb27de4e44dbb22394a6adf53aa6e1b013aca0f8c22867d1cfae58405536"
    ),
    nvidia(
      "cusolver",
      "11.6.3.83",
      130_341_232,
      "93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b"
    ),
    nvidia(
      "cusparse",
      "12.5.1.3",
      217_558_979,
      "016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752"
    ),
    nvidia("nccl", "2.27.7", 322_546_339, "de5ba5562f08029a19cb1cd659404b18411ed0d6c90ac5f52f30bf99ad5809aa"),
    nvidia(
      "nvjitlink",
      "12.5.82",
      21_298_879,
      "f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212"
    )
  ],
  unpackedBytes: 4_241_770_180
}

export const releases: { readonly [kind in Release["kind"]]: Release } = { cpu, gpu }
