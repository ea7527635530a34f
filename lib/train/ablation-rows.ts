/**
 * An ablation as rows: each is the row before it and one more trick, as in tables 4 to 6 of He et al. 2018,
 * or the baseline and one trick alone.
 */
import { type Circumstances, plainRecipe, type Recipe, type TrickName, tricks } from "./tricks.ts"

export interface AblationRow {
  /** Kebab-case; rows sort in the order of the table: `row-02-zero-gamma`. */
  readonly name: string
  readonly title: string
  /** What it adds; `null` for the baseline. */
  readonly trick: TrickName | null
  /** The row that lacks this trick and nothing else; `null` for the baseline. */
  readonly comparedWith: string | null
  /** Of distillation and mixup, which the paper has with and without one another, the one it has already. */
  readonly besides: TrickName | null
  readonly recipe: Recipe
}

export interface AblationChoice {
  /** In the order in which they are added. */
  readonly tricks: ReadonlyArray<TrickName>
  /** What all rows have, the baseline too. */
  readonly given: ReadonlyArray<TrickName>
  /** Whether each trick is measured alone, too. */
  readonly each: boolean
}

/** The paper's table 6 has these with and without one another. */
const counterparts: ReadonlyArray<TrickName> = ["distill", "mixup"]

const besidesIn = ({ distillation, training }: Recipe, trick: TrickName): TrickName | null => {
  const present = [distillation !== null, (training.mixup ?? 0) > 0]
  const others = counterparts.filter((name, at) => name !== trick && present[at])
  return counterparts.includes(trick) ? (others[0] ?? null) : null
}

const rowWith = (from: AblationRow, own: Recipe, trick: TrickName, name: string, title: string) => {
  const recipe = tricks[trick].with(from.recipe, own)
  const besides = besidesIn(from.recipe, trick)
  return { name, title, trick, comparedWith: from.name, besides, recipe } satisfies AblationRow
}

const numbered = (place: number, name: string): string => `row-${String(place).padStart(2, "0")}-${name}`

/** Each on the one before; the second of two counterparts also without the first. */
const cumulativeRows = (baseline: AblationRow, own: Recipe, { tricks: names }: AblationChoice) => {
  const rows = [baseline]
  const add = (from: AblationRow, trick: TrickName, name: string, title: string): AblationRow => {
    const row = rowWith(from, own, trick, numbered(rows.length, name), title)
    rows.push(row)
    return row
  }
  let last = baseline
  let beforeFirst: { readonly row: AblationRow; readonly trick: TrickName } | undefined
  for (const trick of names) {
    const { title } = tricks[trick]
    const isSecond = counterparts.includes(trick) && beforeFirst !== undefined
    if (isSecond) {
      const { row, trick: first } = beforeFirst!
      add(row, trick, `${trick}-without-${first}`, `+ ${title} without ${tricks[first].title}`)
    }
    if (counterparts.includes(trick)) beforeFirst ??= { row: last, trick }
    last = add(last, trick, trick, `+ ${title}`)
  }
  return rows
}

/** The baseline first. `own`: the recipe of the pipeline itself. */
export const ablationRows = (own: Recipe, choice: AblationChoice): ReadonlyArray<AblationRow> => {
  const recipe = choice.given.reduce((sofar, name) => tricks[name].with(sofar, own), plainRecipe(own))
  const title = ["baseline", ...choice.given.map((name) => tricks[name].title)].join(", ")
  const baseline = { name: "row-00-baseline", title, trick: null, comparedWith: null, besides: null, recipe }
  const alone = choice.tricks.map((trick) =>
    rowWith(baseline, own, trick, `only-${trick}`, `only ${tricks[trick].title}`)
  )
  return [...cumulativeRows(baseline, own, choice), ...(choice.each ? alone : [])]
}

const twice = (names: ReadonlyArray<TrickName>): TrickName | undefined =>
  names.find((name, place) => names.indexOf(name) < place)

const variants: ReadonlyArray<TrickName> = ["resnet-b", "resnet-c", "resnet-d"]

/** Each variant holds the ones before it. */
const variantOutOfOrder = (names: ReadonlyArray<TrickName>): string | undefined => {
  const asked = names.filter((name) => variants.includes(name))
  const wrong = asked.find(
    (name, place) => variants.indexOf(name) < variants.indexOf(asked[place - 1] ?? name)
  )
  return wrong === undefined ? undefined : `${wrong} is part of those before it: write ${variants.join(",")}`
}

/** Why there is no such ablation, and what to do; `undefined`: there is. */
export const ablationRefusal = (
  own: Recipe,
  choice: AblationChoice,
  circumstances: Circumstances
): string | undefined => {
  const all = [...choice.given, ...choice.tricks]
  if (choice.tricks.length === 0) return "no trick is named"
  const repeated = twice(all)
  if (repeated !== undefined) return `${repeated} is named twice`
  for (const name of all) {
    const reason = tricks[name].refusal?.(own, circumstances)
    if (reason !== undefined) return `${name}: ${reason}`
  }
  return variantOutOfOrder(all)
}
