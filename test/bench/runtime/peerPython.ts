/**
 * A Python that has the peers: the one `DISTILLERY_PEER_PYTHON` names, or one in an environment of its own
 * beside those of the engine's peers, made when it is first wanted.
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { peerFolder } from "../peerFolder.ts"

const packages = ["torch==2.15.0", "numpy==2.4.6", "onnx==1.23.2", "onnxruntime==1.32.0"]

export const peerPython = (): string => {
  const named = process.env.DISTILLERY_PEER_PYTHON
  if (named !== undefined) return named
  const folder = join(peerFolder, "venv-torch")
  const python = join(folder, "bin", "python")
  if (existsSync(python)) return python
  console.error(`installing ${packages.join(" ")} into ${folder}, once`)
  succeed("python3", ["-m", "venv", folder])
  succeed(python, ["-m", "pip", "install", "--quiet", ...packages])
  return python
}

const succeed = (program: string, args: ReadonlyArray<string>): void => {
  const { status } = spawnSync(program, args, { stdio: ["ignore", 2, 2] })
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}`)
}
