/** A headless browser, where one is installed, and pages for it from a server on this machine. */
import { spawn, spawnSync } from "node:child_process"
import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join, normalize } from "node:path"

const names = ["chromium-headless-shell", "chromium", "google-chrome"]

/** Its program; `undefined` where there is none (Debian: `apt-get install chromium-headless-shell`). */
export const browser: string | undefined = names.find(
  (name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0
)

const types: Readonly<Record<string, string>> = {
  html: "text/html",
  js: "text/javascript",
  json: "application/json",
  wasm: "application/wasm"
}

export interface PageOptions {
  /** The page at `/`, which ends by posting its result to `/result`. */
  readonly html: string
  /** Folders by the first part of a path. */
  readonly folders: Readonly<Record<string, string>>
  readonly profileFolder: string
  readonly timeoutMillis: number
}

const contentOf = async ({ folders, html }: PageOptions, path: string): Promise<Uint8Array | undefined> => {
  if (path === "/") return new TextEncoder().encode(html)
  const [, first = "", ...rest] = normalize(path).split("/")
  const folder = folders[first]
  return folder === undefined ? undefined : readFile(join(folder, ...rest)).catch(() => undefined)
}

/** What the page posts. */
export const resultOfPage = async (program: string, options: PageOptions): Promise<string> => {
  const posted = Promise.withResolvers<string>()
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname
    if (request.method === "POST") {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        response.end()
        posted.resolve(Buffer.concat(chunks).toString())
      })
      return
    }
    void contentOf(options, path).then((content) => {
      if (content === undefined) return response.writeHead(404).end()
      const type = types[path.split(".").at(-1) ?? ""] ?? (path === "/" ? types.html : undefined)
      response.writeHead(200, { "content-type": type ?? "application/octet-stream" }).end(content)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const flags = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--remote-debugging-port=0"]
  const child = spawn(
    program,
    [...flags, `--user-data-dir=${options.profileFolder}`, `http://127.0.0.1:${port}/`],
    // A group of its own: the program may be a script that starts the browser.
    { stdio: ["ignore", "ignore", "pipe"], detached: true }
  )
  let said = ""
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()))
  const fail = (what: string) => posted.reject(new Error(`${what}: ${said.slice(-2000)}`))
  child.on("error", () => fail("the browser did not start"))
  child.on("exit", () => fail("the browser ended"))
  const timer = setTimeout(() => fail("the page posted nothing in time"), options.timeoutMillis)
  try {
    return await posted.promise
  } finally {
    clearTimeout(timer)
    child.removeAllListeners("exit")
    const runs = child.exitCode === null && child.signalCode === null
    if (runs && child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
    server.close()
    server.closeAllConnections()
  }
}
