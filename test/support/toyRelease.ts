/** A release that weighs two megabytes, and the wheels that it consists of. */
import { createHash } from "node:crypto"
import type { Release, Wheel } from "../../infra/tensorflow/releases.ts"
import { zipArchive } from "./zipArchive.ts"

/** The same bytes in every process, and such that do not compress. */
const noise = (seed: string, size: number): Buffer => {
  const blocks: Array<Buffer> = []
  for (let length = 0; length < size; length += 32) {
    blocks.push(createHash("sha256").update(`${seed} ${length}`).digest())
  }
  return Buffer.concat(blocks).subarray(0, size)
}

export interface ToyWheel {
  readonly wheel: Wheel
  /** As the index calls it. */
  readonly project: string
  readonly file: string
  readonly bytes: Buffer
}

type Files = { readonly [path: string]: Buffer }

const toyWheel = (project: string, version: string, wanted: RegExp, files: Files): ToyWheel => {
  const name = project.replaceAll("-", "_")
  const info = `${name}-${version}.dist-info`
  const metadata = `Metadata-Version: 2.1\nName: ${project}\nVersion: ${version}\n`
  const tag = "cp312-cp312-manylinux_2_27_x86_64"
  const bytes = zipArchive([
    ...Object.entries(files).map(([path, content]) => ({ name: path, content })),
    { name: `${info}/METADATA`, content: Buffer.from(metadata) },
    { name: `${info}/WHEEL`, content: Buffer.from(`Wheel-Version: 1.0\nTag: ${tag}\n`) },
    { name: `${info}/RECORD`, content: Buffer.alloc(0) }
  ])
  const sha256 = createHash("sha256").update(bytes).digest("hex")
  const requirement = `${project}==${version}`
  const wheel: Wheel = { requirement, sizeBytes: bytes.length, sha256, wanted }
  return { wheel, project, file: `${name}-${version}-${tag}.whl`, bytes }
}

const framework = noise("framework", 400_000)
const api = noise("api", 1_000_000)
const cuda = noise("cuda", 600_000)
const libraries: Files = {
  "tensorflow/__init__.py": Buffer.from("import this\n"),
  "tensorflow/libtensorflow_framework.so.2": framework,
  "tensorflow/libtensorflow_cc.so.2": api
}
const wantedLibraries = /^tensorflow\/lib.*\.so\.2$/

export const toyCpuWheels = [toyWheel("tensorflow-cpu", "2.21.0", wantedLibraries, libraries)]
export const toyGpuWheels = [
  toyWheel("nvidia-cublas-cu12", "12.5.3.2", /^nvidia\/\w+\/lib\/[^/]+\.so[.\d]*$/, {
    "nvidia/cublas/lib/libcublas.so.12": cuda,
    "nvidia/cublas/lib/__init__.py": Buffer.alloc(0),
    "nvidia/cublas/include/cublas.h": Buffer.from("/* not wanted */")
  }),
  toyWheel("tensorflow", "2.21.0", wantedLibraries, libraries)
]

export const toyReleases: { readonly [kind in Release["kind"]]: Release } = {
  cpu: {
    kind: "cpu",
    version: "2.21.0",
    folder: "2.21.0-cpu-linux-x64",
    prefix: "tensorflow/",
    libraryFolder: ".",
    wheels: toyCpuWheels.map(({ wheel }) => wheel),
    unpackedBytes: framework.length + api.length
  },
  gpu: {
    kind: "gpu",
    version: "2.21.0",
    folder: "2.21.0-gpu-linux-x64",
    prefix: "",
    libraryFolder: "tensorflow",
    wheels: toyGpuWheels.map(({ wheel }) => wheel),
    unpackedBytes: framework.length + api.length + cuda.length
  }
}
