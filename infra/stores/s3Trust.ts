/** Certificates that are trusted besides those that Node trusts: what the AWS tools call a bundle. */
import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls"
import { setUpWrongly } from "../network/setUpWrongly.ts"

export interface Bundle {
  readonly file: string
  /** Where it is named: a variable, or the file of profiles. */
  readonly from: string
}

/** As any thread may be given it. */
export type Certificates = ReadonlyArray<string>

const certificatePattern =
  /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g

/** Throws for a file that cannot be read, or holds none, in words to show. */
export const certificatesIn = ({ file, from }: Bundle): Certificates => {
  const wrong = (why: string) => setUpWrongly(`${from} names ${file}, which ${why}`)
  let text: string
  try {
    text = readFileSync(file, "latin1")
  } catch (error) {
    throw wrong(`cannot be read (${(error as { code?: string }).code}); correct it, or unset it`)
  }
  const found = text.match(certificatePattern)
  // Node would pass over what is none, and trust nobody more.
  if (found === null) throw wrong('holds no certificate; it is a file in PEM, "-----BEGIN CERTIFICATE-----"')
  try {
    for (const one of found) new X509Certificate(one)
  } catch {
    throw wrong("holds a certificate that is damaged")
  }
  return found
}

/** `undefined`: what Node trusts by itself. */
export const trusting = (certificates: Certificates | undefined): SecureContext | undefined =>
  certificates && createSecureContext({ ca: [...getCACertificates("default"), ...certificates] })
