/** Numbers as people read them. */

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })

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
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return grouped.format(value)
  return Math.abs(value) < 0.001 ? value.toExponential(2) : value.toPrecision(4)
}

/** A fraction 0…1 as `93.42 %`. */
export const percent = (fraction: number): string => `${(fraction * 100).toFixed(2)} %`

/** `78.3 k`, `31.1 M`, `4.09 G`: three significant digits. */
export const metric = (value: number): string => {
  const [scaled, prefix] = [
    [1e9, " G"],
    [1e6, " M"],
    [1e3, " k"]
  ].reduce<readonly [number, string]>(
    (best, [factor, symbol]) =>
      best[1] === "" && value >= (factor as number) ? [value / (factor as number), symbol as string] : best,
    [value, ""]
  )
  return prefix === "" ? number(value) : `${Number(scaled.toPrecision(3))}${prefix}`
}
