/**
 * How libraries name the weights of one network. Ours are torchvision's and timm's, which agree where both
 * have a network. A spelling is a function from a file's name to ours; names it does not know stay.
 */

export interface Spelling {
  readonly library: string
  readonly ours: (name: string) => string
}

/** MXNet's words for the weights of a normalisation. */
const normWords: Readonly<Record<string, string>> = {
  gamma: "weight",
  beta: "bias",
  moving_mean: "running_mean",
  moving_var: "running_var"
}

const withNormWords = (name: string): string =>
  name.replace(/[^.]+$/, (word) => (Object.hasOwn(normWords, word) ? normWords[word]! : word))

/** Convolution, normalisation, activation: three places each in a sequence. */
const convOrNorm = (place: number, conv: string, norm: string): string | undefined =>
  [conv, norm, undefined][place % 3]

/** `features.4.0.body.3.weight` is the second convolution of the first block of the first group. */
const gluonResNet = (name: string): string => {
  const spelled = withNormWords(name)
  const stem = /^features\.([01])\.(.*)$/.exec(spelled)
  if (stem !== null) return `${stem[1] === "0" ? "conv1" : "bn1"}.${stem[2]}`
  const block = /^features\.([4-7])\.(\d+)\.(body|downsample)\.(\d)\.(.*)$/.exec(spelled)
  if (block === null) return spelled
  const [, group, index, part, place, rest] = block as unknown as [
    string,
    string,
    string,
    string,
    string,
    string
  ]
  const nth = Math.floor(Number(place) / 3) + 1
  const inner =
    part === "downsample" ? `downsample.${place}` : convOrNorm(Number(place), `conv${nth}`, `bn${nth}`)
  return inner === undefined ? spelled : `layer${Number(group) - 3}.${index}.${inner}.${rest}`
}

/** Units of depthwise and pointwise convolution, by group and place, as timm's `mobilenetv1` counts them. */
const mobileNetUnits = [1, 2, 2, 6, 2].flatMap((count, group) =>
  Array.from({ length: count }, (_, index) => `blocks.${group}.${index}`)
)

/** One sequence: the stem, then for each unit a depthwise and a pointwise convolution. */
const gluonMobileNet = (name: string): string => {
  const spelled = withNormWords(name)
  const found = /^features\.(\d{1,2})\.(.*)$/.exec(spelled)
  if (found === null) return spelled
  const place = Number(found[1])
  const conv = Math.floor(place / 3)
  if (conv === 0) return `${convOrNorm(place, "conv_stem", "bn1") ?? found[1]}.${found[2]}`
  const unit = mobileNetUnits[Math.floor((conv - 1) / 2)]
  const inner = conv % 2 === 0 ? convOrNorm(place, "conv_pw", "bn2") : convOrNorm(place, "conv_dw", "bn1")
  return unit === undefined || inner === undefined ? spelled : `${unit}.${inner}.${found[2]}`
}

/** `features.stage2.unit1.body.conv1.bn.weight` is the first normalisation of the second group. */
const pytorchcvResNet = (name: string): string =>
  name
    .replace(/^features\.init_block\.(conv|bn)\./, (_, kind: string) => `${kind}1.`)
    .replace(
      /^features\.stage(\d)\.unit(\d+)\.(body\.conv(\d)|identity_conv)\.(conv|bn)\./,
      (...[, group, unit, part, nth, kind]: ReadonlyArray<string>) => {
        const place = kind === "conv" ? 0 : 1
        const inner = part === "identity_conv" ? `downsample.${place}` : `${kind}${nth}`
        return `layer${group}.${Number(unit) - 1}.${inner}.`
      }
    )

export const spellings: ReadonlyArray<Spelling> = [
  { library: "PyTorch", ours: (name) => name },
  { library: "GluonCV", ours: withNormWords },
  { library: "GluonCV", ours: gluonResNet },
  { library: "GluonCV", ours: gluonMobileNet },
  { library: "pytorchcv", ours: pytorchcvResNet }
]

/** What libraries call the last linear layer. */
export const headNames = ["fc", "linear", "classifier", "output", "last_linear", "head", "head.fc"]

/**
 * The normalisations that may follow a convolution, the likelier first: `bn2` of `conv2`, place 1 of place 0,
 * `bn` of `conv`; `bn1` follows the last convolution of a deep stem.
 */
export const normsAfter = (conv: string): ReadonlyArray<string> => [
  conv.replace(/\.(\d+)$/, (_, place: string) => `.${Number(place) + 1}`),
  conv.replace(/conv(\d*)$/, "bn$1"),
  conv.replace(/conv1\.6$/, "bn1"),
  conv.replace(/conv_(stem|dw)$/, "bn1"),
  conv.replace(/conv_pw$/, "bn2")
]
