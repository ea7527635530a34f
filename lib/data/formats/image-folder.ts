/**
 * A folder of images: `split/class/image.jpg` (splits `train`, `test` and, optional, `validation` or `val`),
 * or `class/image.jpg` without splits. Further folders below a class belong to it. Classes are ordered by
 * name.
 */
import { Result } from "effect"
import { DatasetInvalid } from "../DatasetInvalid.ts"
import { imageEndings } from "../shards.ts"

export interface FolderImage {
  readonly path: string
  readonly label: number
}

export interface ImageFolderPlan {
  readonly classes: ReadonlyArray<string>
  /** By split; `all` where the folder has none. */
  readonly splits: Readonly<Record<string, ReadonlyArray<FolderImage>>>
  /** Files that are not taken for images by their ending. */
  readonly ignored: ReadonlyArray<string>
}

const splitOf: Readonly<Record<string, string>> = {
  train: "train",
  test: "test",
  validation: "validation",
  val: "validation"
}

interface Place {
  readonly path: string
  readonly split: string
  readonly className: string
}

const isImage = (path: string): boolean =>
  imageEndings.has(path.slice(path.lastIndexOf(".") + 1).toLowerCase())

const placeOf = (path: string, hasSplits: boolean): Place | undefined => {
  const segments = path.split("/")
  const [split, className] = hasSplits ? [splitOf[segments[0]!], segments[1]] : ["all", segments[0]]
  const depth = hasSplits ? 3 : 2
  return split === undefined || className === undefined || segments.length < depth
    ? undefined
    : { path, split, className }
}

/** Sorts the paths of a folder (`/`-separated, hidden files left out) into splits and classes. */
export const planImageFolder = (
  folder: string,
  paths: ReadonlyArray<string>
): Result.Result<ImageFolderPlan, DatasetInvalid> => {
  const refuse = (reason: string) => Result.fail(new DatasetInvalid({ dataset: folder, reason }))
  const visible = paths.filter((path) => !path.split("/").some((segment) => segment.startsWith(".")))
  const hasSplits = visible.some((path) => path.startsWith("train/"))
  const images = visible.filter(isImage)
  const places = images.map((path) => placeOf(path, hasSplits))
  const misplaced = images.find((_, index) => places[index] === undefined)
  if (misplaced !== undefined) {
    const expected = hasSplits ? "train|validation|test/<class>/<image>" : "<class>/<image>"
    return refuse(`"${misplaced}" does not lie where images are expected, at ${expected}`)
  }
  const found = places as ReadonlyArray<Place>
  const training = hasSplits ? "train" : "all"
  const folders = visible.flatMap((path) => placeOf(path, hasSplits)?.className ?? [])
  const classes = [...new Set(folders)].sort()
  if (classes.length < 2) return refuse(`it has ${classes.length} class folders, at least 2 are needed`)
  const empty = classes.filter(
    (name) => !found.some(({ split, className }) => split === training && className === name)
  )
  if (empty.length > 0) return refuse(`no images to train on for class ${empty.join(", ")}`)
  const labels = new Map(classes.map((name, label) => [name, label]))
  const splits: Record<string, Array<FolderImage>> = {}
  for (const { path, split, className } of found) {
    splits[split] = splits[split] ?? []
    splits[split].push({ path, label: labels.get(className)! })
  }
  return Result.succeed({ classes, splits, ignored: visible.filter((path) => !isImage(path)) })
}
