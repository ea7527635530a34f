import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { planImageFolder } from "../../../../lib/data/formats/image-folder.ts"

const plan = (paths: ReadonlyArray<string>) => Result.getOrThrow(planImageFolder("pets", paths))
const refusal = (paths: ReadonlyArray<string>) => {
  const result = planImageFolder("pets", paths)
  return Result.isFailure(result) ? result.failure.message : "accepted"
}

describe("image folder", () => {
  it("takes splits and classes from the path, classes in the order of their names", () => {
    const { classes, splits, ignored } = plan([
      "train/dog/1.jpg",
      "train/cat/2.PNG",
      "train/cat/more/3.webp",
      "val/dog/4.jpeg",
      "test/cat/5.ppm",
      "train/cat/notes.txt",
      "README.md"
    ])
    assert.deepStrictEqual(classes, ["cat", "dog"])
    assert.deepStrictEqual(splits, {
      train: [
        { path: "train/dog/1.jpg", label: 1 },
        { path: "train/cat/2.PNG", label: 0 },
        { path: "train/cat/more/3.webp", label: 0 }
      ],
      validation: [{ path: "val/dog/4.jpeg", label: 1 }],
      test: [{ path: "test/cat/5.ppm", label: 0 }]
    })
    assert.deepStrictEqual(ignored, ["train/cat/notes.txt", "README.md"])
  })

  it("takes class folders without splits as one", () =>
    assert.deepStrictEqual(plan(["b/1.png", "a/1.png"]).splits, {
      all: [
        { path: "b/1.png", label: 1 },
        { path: "a/1.png", label: 0 }
      ]
    }))

  it("passes over hidden files and folders", () =>
    assert.deepStrictEqual(plan(["a/1.png", "b/1.png", ".cache/x.png", "a/.2.png"]).splits.all?.length, 2))

  it.each([
    ["a class with no image", ["a/1.png", "b/readme.txt"], "no images to train on for class b"],
    ["a class only in test", ["train/a/1.png", "train/b/1.png", "test/c/1.png"], "for class c"],
    ["a single class", ["a/1.png"], "1 class folders"],
    ["an image outside a class", ["train/a/1.png", "train/2.png"], '"train/2.png" does not lie'],
    ["an image in an unknown split", ["train/a/1.png", "extra/a/2.png"], '"extra/a/2.png" does not lie'],
    ["an image at the top", ["1.png", "a/1.png"], '"1.png" does not lie'],
    ["nothing", [], "0 class folders"]
  ])("refuses %s", (_, paths, reason) => assert.include(refusal(paths), reason))
})
