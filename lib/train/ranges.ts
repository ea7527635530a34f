/** Checks of numbers among the params, which say what was wrong in the words of the param. */
import { Schema } from "effect"

export const inRange = (what: string, minimum: number, maximum: number) =>
  Schema.Number.check(
    Schema.makeFilter(
      (value: number) =>
        (value >= minimum && value <= maximum) ||
        `${what} must be from ${minimum} to ${maximum}, got ${value}`
    )
  )

export const integerInRange = (what: string, minimum: number, maximum: number) =>
  Schema.Number.check(
    Schema.makeFilter(
      (value: number) =>
        (Number.isInteger(value) && value >= minimum && value <= maximum) ||
        `${what} must be a whole number from ${minimum} to ${maximum}, got ${value}`
    )
  )
