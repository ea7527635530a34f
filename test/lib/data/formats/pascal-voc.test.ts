import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { parseVocAnnotation } from "../../../../lib/data/formats/pascal-voc.ts"

const classes = ["cat", "dog", "R&B", "Katze ä"]

const parse = (xml: string) => parseVocAnnotation("a/x.xml", xml, classes)
const read = (xml: string) => Result.getOrThrow(parse(xml))
const refusal = (xml: string): string => {
  const result = parse(xml)
  return Result.isFailure(result) ? result.failure.message : "accepted"
}

type Corner = number | string
const corners = (x1: Corner, y1: Corner, x2: Corner, y2: Corner) =>
  `<bndbox><xmin>${x1}</xmin><ymin>${y1}</ymin><xmax>${x2}</xmax><ymax>${y2}</ymax></bndbox>`
const object = (name: string, box = corners(1, 1, 2, 2), more = "") =>
  `<object><name>${name}</name>${more}${box}</object>`
const annotation = (...content: ReadonlyArray<string>) => `<annotation>${content.join("\n")}</annotation>`

describe("what an annotation says", () => {
  it("pixels counted from 1, both corners inside, become [y1, x1, y2, x2], far edges exclusive", () => {
    const size = "<size><width>640</width><height>480</height><depth>3</depth></size>"
    // 640 × 480: the box over the whole image, and one pixel at its top left.
    const xml = annotation(size, object("dog", corners(1, 1, 640, 480)), object("cat", corners(1, 1, 1, 1)))
    assert.deepStrictEqual(read(`<?xml version="1.0" encoding="utf-8"?>\n${xml}`), {
      height: 480,
      width: 640,
      boxes: [
        { classIndex: 1, box: [0, 0, 480, 640], difficult: false },
        { classIndex: 0, box: [0, 0, 1, 1], difficult: false }
      ]
    })
  })

  it.prop(
    "any corners, beyond the image too, the order of elements free",
    { x1: Schema.Int, y1: Schema.Int, x2: Schema.Finite, y2: Schema.Finite },
    ({ x1, x2, y1, y2 }) => {
      const [top, bottom] = [`<ymin>${y1}</ymin>`, `<ymax>${y2}</ymax>`]
      const box = `<bndbox>${bottom}<xmin>${x1}</xmin>\n<xmax> ${x2} </xmax>${top}</bndbox>`
      // Minus zero is written "0", so it is compared as a number.
      const [found] = read(annotation(`<object>${box}<name>cat</name></object>`)).boxes
      assert.isTrue(found!.box.every((value, axis) => value === [y1 - 1, x1 - 1, y2, x2][axis]))
    }
  )

  it("parts of an object are none of its own; difficult is 1, attributes and comments do not matter", () => {
    const part = `<part><name>head</name>${corners(1, 1, 2, 2)}</part>`
    const xml = annotation(
      object("<!-- a -->cat", corners(3.5, "4.25", "1e1", 20), `<difficult>1</difficult>${part}${part}`),
      object("<![CDATA[R&B]]>", undefined, "<difficult>0</difficult>"),
      object("R&amp;B"),
      object(" Katze &#228; ").replace("<object>", '<object id="7">')
    )
    const { boxes, height, width } = read(xml)
    assert.deepStrictEqual([height, width], [0, 0])
    assert.deepStrictEqual(boxes[0], { classIndex: 0, box: [3.25, 2.5, 20, 10], difficult: true })
    assert.deepStrictEqual(
      boxes.map(({ classIndex, difficult }) => [classIndex, difficult]),
      [
        [0, true],
        [2, false],
        [2, false],
        [3, false]
      ]
    )
  })

  it.each(["<annotation/>", "\uFEFF<annotation> \n </annotation>", annotation("<filename>x.jpg</filename>")])(
    "an image of nothing is legal: %j",
    (xml) => assert.deepStrictEqual(read(xml), { height: 0, width: 0, boxes: [] })
  )

  it.each(["<size/>", "<size><width>5</width></size>", "<size><width>0</width><height>0</height></size>"])(
    "a size that is not said is 0 × 0: %s",
    (size) => assert.deepStrictEqual(read(annotation(size)), { height: 0, width: 0, boxes: [] })
  )
})

describe("what is refused, and why", () => {
  it.each([
    [
      "an unknown class",
      annotation(object("cat"), object("cow")),
      '<object> 2 of 2 is of class "cow"; the known'
    ],
    ["the known classes", annotation(object("cow")), "the known ones are cat, dog, R&B, Katze ä"],
    ["case of a class", annotation(object("Cat")), 'is of class "Cat"'],
    ["a class like a property", annotation(object("constructor")), 'is of class "constructor"'],
    ["no name", annotation(`<object>${corners(1, 1, 2, 2)}</object>`), "1 of 1 has not exactly one <name>"],
    ["two names", annotation(object("cat</name><name>dog")), "has not exactly one <name>"],
    ["no box", annotation("<object><name>cat</name></object>"), "has not exactly one <bndbox>"],
    ["two boxes", annotation(object("cat", corners(1, 1, 2, 2).repeat(2))), "has not exactly one <bndbox>"],
    ["an empty object", annotation("<object/>"), "has not exactly one <name>"],
    ["a missing corner", annotation(object("cat", "<bndbox><xmin>1</xmin></bndbox>")), "has no <ymin>"],
    ["an empty corner", annotation(object("cat", corners(1, "", 2, 2))), 'has as <ymin> no number: ""'],
    ["a word", annotation(object("cat", corners(1, 1, "wide", 2))), 'has as <xmax> no number: "wide"'],
    ["hexadecimal", annotation(object("cat", corners(1, 1, "0x1f", 2))), 'no number: "0x1f"'],
    ["infinity", annotation(object("cat", corners(1, 1, "1e999", 2))), 'no number: "1e999"'],
    ["NaN", annotation(object("cat", corners(1, 1, "NaN", 2))), 'no number: "NaN"'],
    ["two values", annotation(object("cat", corners("1</xmin><xmin>2", 1, 2, 2))), "several elements"],
    ["another root", "<html><body>404</body></html>", 'its root is "html", not "annotation"'],
    ["two roots", "<annotation/><annotation/>", "not one <annotation>"],
    ["text", annotation("nothing here"), "not one <annotation> that holds elements"],
    ["no XML", "width 640", "cannot be read as XML"],
    ["nothing", "", "cannot be read as XML"],
    ["half a file", annotation(object("cat")).slice(0, 60), "cannot be read as XML"],
    ["crossed elements", annotation("<object><name>cat</object></name>"), "cannot be read as XML: line 1"],
    ["__proto__", annotation("<__proto__><x>1</x></__proto__>"), "cannot be read as XML"],
    ["depth", annotation("<a>".repeat(500) + "</a>".repeat(500)), "Maximum nested tags"]
  ])("%s", (_, xml, reason) => {
    const message = refusal(xml)
    assert.include(message, reason)
    assert.include(message, '"a/x.xml" is not valid Pascal VOC annotation')
  })

  const lol = (n: number) => `<!ENTITY l${n} "${`&l${n - 1};`.repeat(10)}">`
  const bomb = `<!DOCTYPE a [<!ENTITY l0 "lol">${[1, 2, 3, 4, 5, 6, 7, 8, 9].map(lol).join("")}]>`
  it.each([
    ["a billion laughs", `<?xml version="1.0"?>${bomb}${annotation(object("&l9;"))}`],
    [
      "an external entity",
      `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>${annotation(object("&x;"))}`
    ],
    ["parameter entities", `<!DOCTYPE a [<!ENTITY % p "x"> %p;]>${annotation(object("cat"))}`],
    ["a document type alone", `<!doctype annotation>${annotation(object("cat"))}`],
    ["an entity anywhere", annotation(object("cat"), '<!ENTITY x "y">')]
  ])("%s, before anything is parsed", (_, xml) => {
    // In microseconds of the CPU, as other processes may be busy.
    const start = process.cpuUsage()
    assert.match(
      refusal(xml),
      /it declares a document type or entities \(<!(DOCTYPE|ENTITY)\), which are not/i
    )
    assert.isBelow(process.cpuUsage(start).user, 50_000)
  })

  const most = 2 ** 20 - 100
  it.each([
    ["brackets", "<".repeat(most)],
    ["open elements", "<a>".repeat(most / 3)],
    ["attributes", `<annotation ${"a ".repeat(most / 2)}`],
    ["quotes", `<annotation ${'"'.repeat(most)}`],
    ["open comments", `<annotation>${"<!--".repeat(most / 4)}`],
    ["declarations", "<! ".repeat(most / 3)],
    ["spaces", `<annotation a${" ".repeat(most)}`],
    ["objects", annotation("<object/>".repeat(most / 9 - 9))],
    ["a long class", annotation(object("x".repeat(most - 200)))],
    ["a long number", annotation(object("cat", corners(`${"1".repeat(most - 200)}x`, 1, 2, 2)))]
  ])("a mebibyte of %s takes seconds at most, and its message stays short", (_, xml) => {
    const start = process.cpuUsage()
    const message = refusal(xml)
    assert.isBelow(process.cpuUsage(start).user, 5_000_000)
    assert.isBelow(message.length, 400)
    assert.include(message, "is not valid")
  })

  it("a file of more than a mebibyte", () => {
    assert.include(
      refusal(annotation(" ".repeat(2 ** 20))),
      "1048601 characters, an annotation may have 1048576"
    )
  })
})
