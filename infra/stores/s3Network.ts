/**
 * How the AWS tools come to servers where a company has set up its network: through proxies, and trusting
 * certificates that it signed itself. The SDK asks for neither.
 */
import { loadConfig } from "@smithy/core/config"
import { type ProxyFor, proxiesIn } from "../network/proxies.ts"
import { setUpWrongly } from "../network/setUpWrongly.ts"
import { type Bundle, type Certificates, certificatesIn } from "./s3Trust.ts"
import { addressings, type S3Addressing } from "./storePlace.ts"

const bundleVariable = "AWS_CA_BUNDLE"

/** Of the environment, or of the user's profile. */
const bundleSelected = () =>
  loadConfig<Bundle | undefined>({
    environmentVariableSelector: (environment) => {
      const file = environment[bundleVariable]
      return file ? { file, from: bundleVariable } : undefined
    },
    configFileSelector: ({ ca_bundle: file }) =>
      file ? { file, from: "ca_bundle in the AWS profile" } : undefined,
    default: undefined
  })()

const environment = () =>
  loadConfig<{ readonly [name: string]: string | undefined }>({
    environmentVariableSelector: (variables) => variables,
    configFileSelector: () => undefined,
    default: {}
  })()

/** What a profile says in its part `s3 =`. */
const addressingSelected = async (): Promise<S3Addressing | undefined> => {
  const style = await loadConfig<string | undefined>({
    environmentVariableSelector: () => undefined,
    configFileSelector: (profile) => profile["s3.addressing_style"],
    default: undefined
  })()
  const known = addressings.find((one) => one === style)
  if (style === undefined || known !== undefined) return known
  throw setUpWrongly(`addressing_style in the AWS profile is "${style}"; let it be ${addressings.join(", ")}`)
}

/** A server other than Amazon's often knows no buckets as host names. */
export const isByPath = async (asked: S3Addressing | undefined, isCustom: boolean): Promise<boolean> => {
  const style = asked ?? (await addressingSelected()) ?? "auto"
  return style === "auto" ? isCustom : style === "path"
}

export interface Network {
  /** `undefined` where no variable names a proxy. */
  readonly proxyFor: ProxyFor | undefined
  readonly bundle: Bundle | undefined
  readonly certificates: Certificates | undefined
}

/** Rejects for what makes no sense, in words to show. A bundle is looked at only where TLS is spoken. */
export const networkFor = async (isSecure: boolean): Promise<Network> => {
  const proxyFor = proxiesIn(await environment())
  const bundle = isSecure ? await bundleSelected() : undefined
  return { proxyFor, bundle, certificates: bundle && certificatesIn(bundle) }
}
