/**
 * Boxes as Pascal VOC writes them (M. Everingham et al., "The PASCAL Visual Object Classes Challenge 2007
 * Development Kit", section 4.3): one XML file an image, pixels counted from 1, both corners inside the box.
 */
import { Result } from "effect"
import { XMLParser, XMLValidator } from "fast-xml-parser"
import { FormatInvalid } from "../FormatInvalid.ts"

export interface VocBox {
  readonly classIndex: number
  /** `[y1, x1, y2, x2]` in pixels from 0, the far edges exclusive; not clipped to the image. */
  readonly box: readonly [y1: number, x1: number, y2: number, x2: number]
  /** Neither rewarded nor punished by the metric of the challenge. */
  readonly difficult: boolean
}

export interface VocAnnotation {
  /** Size of the image in pixels; both are 0 where the file does not say. */
  readonly height: number
  readonly width: number
  /** In the file's order; none is legal: an image of nothing. */
  readonly boxes: ReadonlyArray<VocBox>
}

/** In UTF-16 units. Real files have a few kilobytes; the parser's time grows with their length. */
const lengthMax = 2 ** 20

/**
 * Texts stay texts, so that we say what is a number. `htmlEntities` is what lets character numbers (`&#233;`)
 * be read; a file that declares entities of its own never comes as far as the parser.
 */
const parser = new XMLParser({
  parseTagValue: false,
  htmlEntities: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  isArray: (_, path) => path === "annotation.object"
})

type Element = Readonly<Record<string, unknown>>
/** A failure is the reason alone; the file's name is added at the end. */
type Parsed<A> = Result.Result<A, string>

const isElement = (value: unknown): value is Element =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What a file says, short enough for a message. */
const quoted = (text: unknown): string => {
  const line = typeof text === "string" ? JSON.stringify(text) : "several elements"
  return line.length <= 80 ? line : `${line.slice(0, 79)}…`
}

const parseXml = (xml: string): Parsed<Element> => {
  if (xml.length > lengthMax) {
    return Result.fail(`it has ${xml.length} characters, an annotation may have ${lengthMax}`)
  }
  // Wherever it stands: nothing of a file that declares entities is worth the risk of expanding them.
  const declaration = /<!\s*(DOCTYPE|ENTITY)/i.exec(xml)
  if (declaration !== null) {
    return Result.fail(`it declares a document type or entities (${declaration[0]}), which are not read`)
  }
  const refuse = (why: string) => `it cannot be read as XML: ${why.slice(0, 160).replace(/\.$/, "")}`
  const valid = XMLValidator.validate(xml)
  if (valid !== true) return Result.fail(refuse(`line ${valid.err.line}: ${valid.err.msg}`))
  return Result.try({
    try: (): Element => parser.parse(xml),
    catch: (cause) => refuse(cause instanceof Error ? cause.message : String(cause))
  })
}

/** Decimal notation as people and programs write it; `Number` alone would take "", "0x1f" and "Infinity". */
const numberIn = (text: unknown): number =>
  typeof text === "string" && /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN

const sizeIn = (annotation: Element): { readonly height: number; readonly width: number } => {
  const size = isElement(annotation.size) ? annotation.size : {}
  const [height, width] = [numberIn(size.height), numberIn(size.width)]
  const said = [height, width].every((side) => Number.isSafeInteger(side) && side > 0)
  return said ? { height, width } : { height: 0, width: 0 }
}

const coordinate = (corners: Element, name: string): Parsed<number> => {
  const text = corners[name]
  const value = numberIn(text)
  if (Number.isFinite(value)) return Result.succeed(value)
  return Result.fail(text === undefined ? `has no <${name}>` : `has as <${name}> no number: ${quoted(text)}`)
}

const classIn = (name: unknown, classes: ReadonlyArray<string>): Parsed<number> => {
  if (typeof name !== "string" || name === "") return Result.fail("has not exactly one <name>")
  const index = classes.indexOf(name)
  if (index !== -1) return Result.succeed(index)
  return Result.fail(`is of class ${quoted(name)}; the known ones are ${classes.join(", ")}`)
}

const boxIn = (object: unknown, classes: ReadonlyArray<string>): Parsed<VocBox> =>
  Result.gen(function* () {
    const element = isElement(object) ? object : {}
    const classIndex = yield* classIn(element.name, classes)
    const corners = element.bndbox
    if (!isElement(corners)) return yield* Result.fail("has not exactly one <bndbox> with coordinates")
    const y1 = (yield* coordinate(corners, "ymin")) - 1
    const x1 = (yield* coordinate(corners, "xmin")) - 1
    const y2 = yield* coordinate(corners, "ymax")
    const x2 = yield* coordinate(corners, "xmax")
    return { classIndex, box: [y1, x1, y2, x2], difficult: element.difficult === "1" }
  })

const boxesIn = (annotation: Element, classes: ReadonlyArray<string>): Parsed<ReadonlyArray<VocBox>> => {
  const objects: ReadonlyArray<unknown> = Array.isArray(annotation.object) ? annotation.object : []
  return Result.all(
    objects.map((object, index) =>
      Result.mapError(boxIn(object, classes), (why) => `<object> ${index + 1} of ${objects.length} ${why}`)
    )
  )
}

/**
 * `classes` gives the indices. Fails with `FormatInvalid` on what is no XML or no `<annotation>`, on an
 * unknown class, on coordinates that are missing or no numbers, and, before parsing, on a document type, on
 * entity declarations and on files beyond a mebibyte.
 */
export const parseVocAnnotation = (
  file: string,
  xml: string,
  classes: ReadonlyArray<string>
): Result.Result<VocAnnotation, FormatInvalid> =>
  Result.gen(function* () {
    const content = yield* parseXml(xml)
    // An element without content reads as "".
    const root = content.annotation === "" ? {} : content.annotation
    if (!isElement(root)) {
      const [name] = Object.keys(content)
      return yield* Result.fail(
        name === "annotation"
          ? "it is not one <annotation> that holds elements"
          : `its root is ${quoted(name)}, not "annotation"`
      )
    }
    return { ...sizeIn(root), boxes: yield* boxesIn(root, classes) }
  }).pipe(Result.mapError((reason) => new FormatInvalid({ file, format: "Pascal VOC annotation", reason })))
