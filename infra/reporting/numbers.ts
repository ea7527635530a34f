/** Numbers as people read them. */

let grouping: Intl.NumberFormat | undefined

/** `1,234`. Made when the first is printed: it takes milliseconds, which every command would pay. */
const grouped = (value: number): string => {
  grouping ??= new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })
  return grouping.format(value)
}

/** `0.42 s`, `31 s`, `2:05`, `1:02:03`. */
export const duration = (seconds: number): string => {
  if (!Number.isFinite(seconds)) return "?"
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return whole < 60 ? `${whole} s` : clock(whole)
}

/** `0:31`, `2:05`, `1:02:03`: of a constant width while it counts down. */
export const clock = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds))
  const two = (value: number): string => String(value).padStart(2, "0")
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor((whole % 3600) / 60)
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`
}

/** `1,234` for counts, four significant digits for the rest. */
export const number = (value: number): string => {
  if (!Number.isFinite(value)) return String(value)
  if (Number.isInteger(value) && Math.abs(value) < 1000) return String(value)
  if (Math.abs(value) >= 1000) return grouped(value)
  return Math.abs(value) < 0.001 ? value.toExponential(2) : value.toPrecision(4)
}

/** A fraction 0…1 as `93.42 %`. */
export const percent = (fraction: number): string => `${(fraction * 100).toFixed(2)} %`

const prefixes = ["", " k", " M", " G", " T"]

/** `272 k`, `31.0 M`, `4.09 G`: three significant digits; counts below a thousand as they are. */
export const metric = (value: number): string => {
  if (!(value >= 1000)) return number(value)
  // 999,500 is 1.00 M already: rounding comes before the choice of the prefix.
  const rounded = Number(value.toPrecision(3))
  const power = Math.min(prefixes.length - 1, Math.floor(Math.log10(rounded) / 3))
  const scaled = rounded / 1000 ** power
  return `${scaled < 1000 ? scaled.toPrecision(3) : number(scaled)}${prefixes[power]}`
}

/** `512 B`, `1.23 MB`, `40.5 GB`: powers of 1,000, as disks and bills count. */
export const bytes = (sizeBytes: number): string =>
  sizeBytes < 1000 ? `${sizeBytes} B` : `${metric(sizeBytes)}B`
