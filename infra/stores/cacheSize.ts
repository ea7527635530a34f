/** How much is kept on this machine: what `DISTILLERY_CACHE_SIZE` may be. */

const sizeUnits: { readonly [unit: string]: number } = { "": 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 }

/** `500MB`, `20 GB`, `1.5T`: powers of 1,000; `undefined` for what is no size. */
export const sizeFrom = (text: string): number | undefined => {
  const [, count, unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*$/i.exec(text) ?? []
  return count === undefined ? undefined : Math.floor(Number(count) * sizeUnits[unit.toLowerCase()]!)
}

export const sizeForm = "a size like 500MB or 20GB"
