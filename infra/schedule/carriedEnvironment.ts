/** What of the environment a schedule needs where it runs with none: settings, AWS's, proxies; no secrets. */

const wanted = /^(DISTILLERY_.*|AWS_.*|XDG_(CACHE|CONFIG)_HOME|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy)$/
const certificates = /^(NODE_USE_(ENV_PROXY|SYSTEM_CA)|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR))$/

/** A file that holds a secret is none itself, nor is a key by which one knows somebody. */
const isSecret = (name: string, value: string): boolean =>
  (/SECRET|TOKEN|PASSWORD|CREDENTIAL|KEY/.test(name) && !/_FILE$|TRUST_KEYS$/.test(name)) ||
  /:\/\/[^/]*@/.test(value)

export interface CarriedEnvironment {
  readonly values: ReadonlyArray<readonly [name: string, value: string]>
  /** Names of those that hold secrets: they are set, and not carried. */
  readonly secrets: ReadonlyArray<string>
}

export const carriedEnvironment = (environment: {
  readonly [name: string]: string | undefined
}): CarriedEnvironment => {
  const found = Object.entries(environment).flatMap(([name, value]): ReadonlyArray<[string, string]> => {
    const isWanted = wanted.test(name) || certificates.test(name)
    return isWanted && value !== undefined && value !== "" ? [[name, value]] : []
  })
  found.sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    values: found.filter(([name, value]) => !isSecret(name, value)),
    secrets: found.filter(([name, value]) => isSecret(name, value)).map(([name]) => name)
  }
}
