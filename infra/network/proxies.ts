/**
 * Proxies as the AWS tools take them from the environment: `HTTPS_PROXY` and `HTTP_PROXY` by the scheme of
 * what is asked for, in small letters first, and `NO_PROXY`.
 */
import { BlockList, isIP } from "node:net"
import { setUpWrongly } from "./setUpWrongly.ts"

export interface HttpProxy {
  /** The variable that names it. */
  readonly variable: string
  /** Without user and password. */
  readonly address: string
  readonly protocol: string
  readonly hostname: string
  readonly port: number
  /** The value of the header `proxy-authorization`. */
  readonly authorization: string | undefined
}

export interface Target {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
}

/** `undefined` where it is reached without one. */
export type ProxyFor = (target: Target) => HttpProxy | undefined

type Environment = { readonly [name: string]: string | undefined }

interface Variable {
  readonly name: string
  readonly text: string
}

/** An empty one in small letters hides the other, as it does for the AWS tools. */
const variableIn = (environment: Environment, name: string): Variable | undefined => {
  const found = [name.toLowerCase(), name].find((one) => environment[one] !== undefined)
  const text = found === undefined ? "" : environment[found]!.trim()
  return text === "" ? undefined : { name: found!, text }
}

const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, "$1")

const authorizationOf = ({ password, username }: URL): string | undefined => {
  if (username === "" && password === "") return undefined
  const login = [username, password].map(decodeURIComponent).join(":")
  return `Basic ${Buffer.from(login).toString("base64")}`
}

/** Whoever reads what is wrong sees no password. */
const proxyFrom = ({ name, text }: Variable): HttpProxy => {
  const wrong = (why: string) => setUpWrongly(`${name} ${why}; let it be http://host:port`)
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  // What stands behind is the end of a password with one of / ? # in it.
  if (url === null || `${url.pathname}${url.search}${url.hash}`.length > 1)
    throw wrong("names no proxy (in a password, %40 stands for @ and %23 for #)")
  const { hostname, port, protocol } = url
  if (protocol !== "http:" && protocol !== "https:") throw wrong(`names a proxy of the kind ${protocol}//`)
  try {
    return {
      variable: name,
      address: `${protocol}//${url.host}`,
      protocol,
      hostname: withoutBrackets(hostname),
      port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
      authorization: authorizationOf(url)
    }
  } catch {
    throw wrong("has a % in its user or password that begins no %25")
  }
}

const isInNetwork = (host: string, entry: string): boolean => {
  const [, network = "", bits] = /^([\d.]+|[\da-f:]+)\/(\d+)$/i.exec(entry) ?? []
  const version = isIP(network)
  if (version === 0 || version !== isIP(host)) return false
  const family = version === 4 ? "ipv4" : "ipv6"
  if (Number(bits) > (version === 4 ? 32 : 128)) return false
  const list = new BlockList()
  list.addSubnet(network, Number(bits), family)
  return list.check(host, family)
}

/** A name stands for the hosts below it, too, with a point before it or without. */
const isMeant = (entry: string, host: string, port: number): boolean => {
  if (entry === "*" || isInNetwork(host, entry)) return true
  const [, name = entry, ofPort] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? []
  if (ofPort !== undefined && Number(ofPort) !== port) return false
  const wanted = withoutBrackets(name).replace(/^\*?\./, "")
  return wanted !== "" && (host === wanted || (isIP(host) === 0 && host.endsWith(`.${wanted}`)))
}

/** What is on this machine no proxy reaches. */
const isHere = (host: string): boolean =>
  host === "::1" || /(^|\.)localhost$/.test(host) || (isIP(host) === 4 && host.startsWith("127."))

/** `undefined` where there are none. Throws for what makes no sense, in words to show. */
export const proxiesIn = (environment: Environment): ProxyFor | undefined => {
  const found = {
    "https:": variableIn(environment, "HTTPS_PROXY"),
    "http:": variableIn(environment, "HTTP_PROXY")
  }
  const proxies = new Map(
    Object.entries(found).flatMap(([scheme, variable]) =>
      variable === undefined ? [] : [[scheme, proxyFrom(variable)] as const]
    )
  )
  if (proxies.size === 0) return undefined
  const exceptions = (variableIn(environment, "NO_PROXY")?.text ?? "").toLowerCase().split(/[\s,]+/)
  return ({ hostname, port, protocol }) => {
    const host = withoutBrackets(hostname).toLowerCase()
    const reached = port ?? (protocol === "https:" ? 443 : 80)
    const isExcepted = isHere(host) || exceptions.some((entry) => isMeant(entry, host, reached))
    return isExcepted ? undefined : proxies.get(protocol)
  }
}
