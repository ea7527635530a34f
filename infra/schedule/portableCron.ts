/** A timetable in the words that every cron and GitHub understand: numbers, lists, ranges, steps. */
import { Cron } from "effect"
import { fieldsOf, type Timetable } from "./Timetable.ts"

/**
 * Names become numbers, Sunday 0. A field that begins with a star stays: where only one of the two day fields
 * does so, crons ask for both days to match, else for either.
 */
export const portableFields = (expression: string, { cron }: Timetable): ReadonlyArray<string> => {
  const formatted = Cron.format(cron).split(" ")
  return fieldsOf(expression).map((field, index) => (/^\*[\d*/,-]*$/.test(field) ? field : formatted[index]!))
}
