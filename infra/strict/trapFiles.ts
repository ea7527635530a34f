/** Files, folders and the network: all that reaches outside of the process. */
import childProcess from "node:child_process"
import dns from "node:dns"
import fs from "node:fs"
import http from "node:http"
import https from "node:https"
import net from "node:net"
import os from "node:os"
import { resolve, sep } from "node:path"
import tls from "node:tls"
import { fileURLToPath } from "node:url"
import { type Tell, trapMethod, trapMethods } from "./Trap.ts"

const reading = [
  "access",
  "appendFile",
  "copyFile",
  "cp",
  "createReadStream",
  "createWriteStream",
  "exists",
  "lstat",
  "mkdtemp",
  "open",
  "openAsBlob",
  "readFile",
  "readlink",
  "realpath",
  "rename",
  "rm",
  "stat",
  "statfs",
  "unlink",
  "watch",
  "watchFile",
  "writeFile"
]
/** What they list comes in the order of the file system. */
const listing = ["glob", "opendir", "readdir"]

const withSync = (names: ReadonlyArray<string>) => names.flatMap((name) => [name, `${name}Sync`])

const pathOf = (argument: unknown): string | undefined => {
  if (argument instanceof URL) return argument.protocol === "file:" ? fileURLToPath(argument) : argument.href
  return typeof argument === "string" ? argument : undefined
}

const isBelow = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`)

/** `declared`: folders and files that the stage's contract names as external inputs. */
export const trapFiles = (tell: Tell, declared: ReadonlyArray<string>): void => {
  const say = ([argument]: ReadonlyArray<unknown>): string | undefined => {
    const path = pathOf(argument)
    // A handle was opened by a path, which was seen then.
    if (path === undefined) return typeof argument === "number" ? undefined : "a file"
    return declared.some((one) => isBelow(resolve(path), resolve(one))) ? undefined : path
  }
  for (const owner of [fs, fs.promises]) {
    for (const name of withSync(reading)) trapMethod(owner, name, { kind: "file", say, tell })
    for (const name of withSync(listing)) trapMethod(owner, name, { kind: "directory", say, tell })
  }
}

const addressOf = ([first, second]: ReadonlyArray<unknown>): string => {
  if (typeof first === "number") return `${typeof second === "string" ? second : "localhost"}:${first}`
  if (typeof first === "string") return first
  if (first instanceof URL) return first.href
  if (typeof first !== "object" || first === null) return String(first)
  const { host, hostname, href, path, port, url } = first as { readonly [name: string]: unknown }
  const address = url ?? href ?? hostname ?? host ?? path ?? "an address"
  return port === undefined ? String(address) : `${String(address)}:${String(port)}`
}

export const trapNetwork = (tell: Tell): void => {
  const trap = { kind: "network" as const, say: addressOf, tell }
  trapMethod(globalThis, "fetch", trap)
  for (const owner of [http, https]) for (const name of ["get", "request"]) trapMethod(owner, name, trap)
  for (const owner of [net, tls])
    for (const name of ["connect", "createConnection"]) trapMethod(owner, name, trap)
  for (const name of ["lookup", "resolve", "resolve4", "resolve6"]) {
    trapMethod(dns, name, trap)
    trapMethod(dns.promises, name, trap)
  }
}

export const trapPrograms = (tell: Tell): void => {
  const names = ["exec", "execFile", "execFileSync", "execSync", "fork", "spawn", "spawnSync"]
  for (const name of names) {
    trapMethod(childProcess, name, { kind: "program", say: ([program]) => String(program), tell })
  }
}

export const trapMachine = (tell: Tell): void => {
  trapMethods(os, ["hostname", "userInfo", "homedir", "networkInterfaces"], {
    title: "os",
    kind: "host",
    tell
  })
  trapMethods(os, ["totalmem", "freemem", "loadavg", "machine", "release", "version"], {
    title: "os",
    kind: "host",
    tell
  })
  trapMethods(os, ["availableParallelism", "cpus"], { title: "os", kind: "threads", tell })
  trapMethods(os, ["tmpdir"], { title: "os", kind: "temporary folder", tell })
  trapMethods(process, ["cwd"], { title: "process", kind: "working directory", tell })
}
