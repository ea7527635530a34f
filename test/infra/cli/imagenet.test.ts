/** The pipeline `imagenet` on ILSVRC2012 in small, in both layouts: planned, and brought in. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import sharp from "sharp"
import { assert, beforeAll, describe, it } from "vitest"
import { officialArchives, unpackedFolder } from "../../support/miniatureImageNet.ts"
import { distillery, project } from "./builtProgram.ts"

const jpeg = await sharp({ create: { width: 20, height: 15, channels: 3, background: "#40a060" } })
  .jpeg()
  .toBuffer()
const miniature = { numClasses: 6, imagesPerClass: 2, validationPerClass: 1, image: () => jpeg }

beforeAll(() => {
  for (const [folder, files] of Object.entries({
    official: officialArchives(miniature),
    unpacked: unpackedFolder(miniature)
  })) {
    for (const [path, bytes] of files) {
      mkdirSync(dirname(join(project, folder, path)), { recursive: true })
      writeFileSync(join(project, folder, path), bytes)
    }
  }
})

const layouts = {
  "the official archives": ["--set", "images.source.path=official"],
  "an unpacked folder": [
    "--set",
    'images.source={"_tag":"ImageFolder","path":"unpacked","testOnValidation":true}'
  ]
}

/** The runtime of tests has no bfloat16. */
const float32 = ["teacher", "teacher-299", "resnet", "mobilenet", "inception"].flatMap((job) => [
  "--set",
  `${job}.training.precision=float32`
])

interface Job {
  readonly name: string
  readonly state: string
}

describe.each(Object.entries(layouts))("imagenet from %s", { timeout: 240_000 }, (_, source) => {
  it("is planned whole, from the images to the report", async () => {
    const { code, stderr, stdout } = await distillery(["plan", "imagenet", ...source, ...float32, "--json"])
    assert.strictEqual(code, 0, stderr)
    const names = JSON.parse(stdout).jobs.map(({ name }: Job) => name)
    assert.includeMembers(names, ["images", "teacher", "resnet", "mobilenet", "inception", "report"])
  })

  it("gives 12 images to train on and 6 to test on, in 6 classes", async () => {
    const { code, stderr } = await distillery(["run", "imagenet", ...source, "--only", "images", "--quiet"])
    assert.strictEqual(code, 0, stderr)
    const { stdout } = await distillery(["show", "imagenet/images", "--json"])
    assert.match(stdout, /"numExamples": ?12/)
    assert.match(stdout, /"numExamples": ?6/)
  })
})
