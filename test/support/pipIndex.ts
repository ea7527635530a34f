/** A package index as pip reads one, on a port of this machine, that can stall and lie. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { ToyWheel } from "./toyRelease.ts"

export interface PipIndex {
  readonly url: string
  /** Wheels asked for, by file name, in order. */
  readonly asked: ReadonlyArray<string>
  /** What becomes of wheels from now on. */
  behave(behaviour: Behaviour): void
  /** Resolves when a wheel was sent half and its connection waits. */
  halfway(): Promise<void>
  /** Resolves when the client of a stalled wheel is gone. */
  abandoned(): Promise<void>
  /** Sends the rest of what was stalled. */
  goOn(): void
  close(): void
}

export type Behaviour =
  | "honest"
  /** Sends half of the wheel `file` and waits. */
  | { readonly stallAt: string }
  /** Knows nothing of a project. */
  | { readonly refuse: string }
  /** Sends half of each and closes. */
  | "cut"
  /** Sends a whole wheel with one other byte, and claims nothing of its digest. */
  | "other"

/** The date of the first entry: what is unpacked stays the same, the wheel does not. */
const altered = (bytes: Buffer): Buffer => {
  const other = Buffer.from(bytes)
  other.writeUInt8(other.readUInt8(12) ^ 1, 12)
  return other
}

class Gate {
  private open: () => void = () => {}
  private opened = new Promise<void>((resolve) => {
    this.open = resolve
  })
  pass(): Promise<void> {
    return this.opened
  }
  release(): void {
    this.open()
  }
}

export const startPipIndex = async (wheels: ReadonlyArray<ToyWheel>): Promise<PipIndex> => {
  const asked: Array<string> = []
  const [halfway, abandoned, goOn] = [new Gate(), new Gate(), new Gate()]
  let behaviour: Behaviour = "honest"

  const sendWheel = async ({ bytes, file }: ToyWheel, response: ServerResponse): Promise<void> => {
    asked.push(file)
    const sent = behaviour === "other" ? altered(bytes) : bytes
    response.writeHead(200, { "content-length": sent.length, "content-type": "application/octet-stream" })
    const middle = Math.floor(sent.length / 2)
    if (behaviour === "cut") return void response.write(sent.subarray(0, middle), () => response.destroy())
    if (typeof behaviour === "string" || !("stallAt" in behaviour) || behaviour.stallAt !== file) {
      return void response.end(sent)
    }
    response.on("close", () => abandoned.release())
    response.write(sent.subarray(0, middle), () => halfway.release())
    await goOn.pass()
    response.end(sent.subarray(middle))
  }

  const server = createServer((request, response) => {
    const name = decodeURIComponent((request.url ?? "").split("/").filter(Boolean).at(-1) ?? "")
    const wheel = wheels.find(({ file }) => file === name)
    if (wheel !== undefined) return void sendWheel(wheel, response)
    const refused = typeof behaviour === "object" && "refuse" in behaviour ? behaviour.refuse : undefined
    const links = wheels
      .filter(({ project }) => project === name && project !== refused)
      .map(({ file, wheel: { sha256 } }) => {
        const claim = behaviour === "other" ? "" : `#sha256=${sha256}`
        return `<a href="/files/${file}${claim}">${file}</a>`
      })
    response.writeHead(links.length > 0 ? 200 : 404, { "content-type": "text/html" })
    response.end(`<!DOCTYPE html><html><body>${links.join("\n")}</body></html>`)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple/`,
    asked,
    behave: (next) => {
      behaviour = next
    },
    halfway: () => halfway.pass(),
    abandoned: () => abandoned.pass(),
    goOn: () => goOn.release(),
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}
