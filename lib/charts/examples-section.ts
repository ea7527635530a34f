/** The worst and some random images of a model, what is on them beside what it said. */
import { boxesFigure, type FigureBox } from "./boxes-figure.ts"
import { cssColour, ignoredColour, maskColours } from "./class-colours.ts"
import { type Picture, renderingOf } from "./example-pictures.ts"
import { boxesText, sharesText } from "./example-words.ts"
import { escapeHtml, percent } from "./html.ts"
import type { BoxExample, ClassExample, DetectorReport, MaskExample, ModelReport } from "./ReportDocument.ts"
import type { PlacedModel } from "./results-section.ts"

const img = (picture: Picture, alt: string): string =>
  `<img alt="${escapeHtml(alt)}"${renderingOf(picture)} src="data:image/png;base64,${picture.pngBase64}">`

const classFigure = ({ image, label, prediction, probability }: ClassExample, picture: Picture): string => {
  const said = `${escapeHtml(prediction)}, ${percent(probability)}`
  const caption =
    label === prediction
      ? `<b class="right">✓</b> ${said}`
      : `<b class="wrong">✗</b> ${said}<br>is ${escapeHtml(label)}`
  const shown = img(picture, `Test image ${image}: ${label}`)
  return `<figure>${shown}<figcaption>${caption}</figcaption></figure>`
}

/** Views of one image side by side: what is seen, and how it came to be. */
const viewsFigure = (
  { image, quality }: BoxExample | MaskExample,
  views: ReadonlyArray<readonly [title: string, html: string]>
): string => {
  const shown = views.map(([title, html]) => `<div>${html}<div>${title}</div></div>`)
  return (
    `<figure><div class="views">${shown.join("")}</div>` +
    `<figcaption>Image ${image}, agreement ${percent(quality)}</figcaption></figure>`
  )
}

const altOf = ({ image }: BoxExample | MaskExample, how: string, words: string): string =>
  `Test image ${image}, ${how}: ${words}`

/** Boxes of less certainty do not count for the quality of an image (`lib/metrics/image-quality.ts`). */
const countedScoreMin = 0.5

const boxFigure = (
  { model, place }: PlacedModel<DetectorReport>,
  example: BoxExample,
  picture: Picture
): string => {
  const id = `photo-${place}-${example.image}`
  const indexOf = new Map(model.perClass.map(({ name }, index) => [name, index]))
  const labels = example.labels.map(({ class: name, difficult, box }): FigureBox => {
    return { box, classIndex: indexOf.get(name) ?? 0, text: name, dashed: difficult }
  })
  const predictions = example.predictions.map(({ class: name, score, box }): FigureBox => {
    const text = `${name} ${Math.round(100 * score)} %`
    return { box, classIndex: indexOf.get(name) ?? 0, text, dashed: score < countedScoreMin }
  })
  const altLabel = altOf(example, "labelled", boxesText(example.labels))
  const altPrediction = altOf(example, "predicted", boxesText(example.predictions))
  return viewsFigure(example, [
    ["labelled", boxesFigure({ picture, id, isFirst: true, boxes: labels, alt: altLabel })],
    ["predicted", boxesFigure({ picture, id, isFirst: false, boxes: predictions, alt: altPrediction })]
  ])
}

const maskFigure = (example: MaskExample, [original, label, prediction]: ReadonlyArray<Picture>): string =>
  viewsFigure(example, [
    ["image", img(original!, `Test image ${example.image}`)],
    ["labelled", img(label!, altOf(example, "labelled", sharesText(example.labels)))],
    ["predicted", img(prediction!, altOf(example, "predicted", sharesText(example.predictions)))]
  ])

/** A figure for each example, in their order. */
const figuresOf = (
  { model, place }: PlacedModel,
  pictures: ReadonlyArray<ReadonlyArray<Picture>>
): ReadonlyArray<string> => {
  switch (model.task) {
    case "classification":
      return model.examples.map((example, index) => classFigure(example, pictures[index]![0]!))
    case "detection":
      return model.examples.map((example, index) =>
        boxFigure({ model, place }, example, pictures[index]![0]!)
      )
    case "segmentation":
      return model.examples.map((example, index) => maskFigure(example, pictures[index]!))
  }
}

/** Which colour is which class: on masks no name is written. */
const legend = (classes: ReadonlyArray<string>): string => {
  const entry = (name: string, colour: string) =>
    `<span><span class="swatch" style="background:${colour}"></span>${escapeHtml(name)}</span>`
  const colours = maskColours(classes).map((colour) => (colour === null ? "none" : cssColour(colour)))
  const entries = classes.map((name, index) => entry(name, colours[index]!))
  return `<p class="legend">${[...entries, entry("ignored", cssColour(ignoredColour))].join(" ")}</p>`
}

const titles = { worst: "The worst images", random: "Other images, chosen at random" } as const

/** What images are compared by, and how to read the pictures. */
const explained = (model: ModelReport): string => {
  switch (model.task) {
    case "classification":
      return `<p class="muted">The worst are those whose own class was given the least probability.</p>`
    case "detection":
      return (
        `<p class="muted">Agreement: how many of the boxes, labelled ones and predicted ones of score 0.5 ` +
        `or more, have a partner of their class (F1 at IoU 0.5). Dashed: labelled as difficult, or ` +
        `predicted with less certainty; neither counts.</p>`
      )
    case "segmentation":
      return (
        `<p class="muted">Agreement: how many of the labelled pixels are right.</p>` +
        legend(model.perClass.map(({ name }) => name))
      )
  }
}

/** Nothing where a model has no examples. */
export const examplesSection = (
  placed: PlacedModel,
  pictures: ReadonlyArray<ReadonlyArray<Picture>>
): string => {
  const { model } = placed
  if (model.examples.length === 0) return ""
  const figures = figuresOf(placed, pictures)
  const grid = (choice: "worst" | "random"): string => {
    const chosen = figures.filter((_, index) => model.examples[index]!.choice === choice)
    const layout = model.task === "classification" ? "samples" : "pairs"
    return chosen.length === 0
      ? ""
      : `<h4>${titles[choice]}</h4>\n<div class="${layout}">\n${chosen.join("\n")}\n</div>`
  }
  return [`<h3 class="section">Examples</h3>`, explained(model), grid("worst"), grid("random")]
    .filter((part) => part !== "")
    .join("\n")
}
