import { join, resolve } from "node:path"
import { assert, describe, it } from "vitest"
import { placeFrom, placeProblem, s3Url } from "../../../infra/stores/storePlace.ts"

describe("what DISTILLERY_STORE may be", () => {
  it.each([
    ["s3://bucket/some/prefix", { kind: "s3", bucket: "bucket", prefix: "some/prefix" }],
    ["s3://bucket/prefix/", { kind: "s3", bucket: "bucket", prefix: "prefix" }],
    ["s3://my.bucket-1", { kind: "s3", bucket: "my.bucket-1", prefix: "" }],
    ["s3://bucket/", { kind: "s3", bucket: "bucket", prefix: "" }],
    ["store", { kind: "folder", folder: resolve("store") }],
    ["/a/b", { kind: "folder", folder: resolve("/a/b") }],
    ["s3", { kind: "folder", folder: join(process.cwd(), "s3") }]
  ] as const)("%s", (text, place) => {
    assert.isUndefined(placeProblem(text))
    assert.deepStrictEqual(placeFrom(text), place)
  })

  it.each([
    ["http://localhost:9000/bucket", /AWS_ENDPOINT_URL/],
    ["https://bucket.s3.amazonaws.com", /AWS_ENDPOINT_URL/],
    ["gs://bucket/x", /kind "gs:" are not supported/],
    ["s3:bucket", /expected s3:\/\/bucket\/prefix/],
    ["S3://bucket", /expected s3:\/\/bucket\/prefix/],
    ["s3://", /name of the bucket/],
    ["s3:///prefix", /name of the bucket/],
    ["s3://Bucket", /name of the bucket/],
    ["s3://ab", /name of the bucket/],
    ["s3://localhost:9000/bucket", /AWS_ENDPOINT_URL/],
    ["s3://bucket//x", /the prefix is made of/],
    ["s3://bucket/../x", /the prefix is made of/],
    ["s3://bucket/a b", /the prefix is made of/],
    ["s3://bucket/x?region=y", /the prefix is made of/],
    [`s3://bucket/${"x".repeat(101)}`, /at most 100 characters/]
  ])("%s is refused", (text, problem) => {
    assert.match(placeProblem(text) ?? "", problem)
  })

  it("a password in it is refused and not repeated", () => {
    const problem = placeProblem("s3://key:secret@bucket/prefix") ?? ""
    assert.match(problem, /credentials do not belong here; set the AWS_ variables/)
    assert.notInclude(problem, "secret")
  })

  it("is shown as it is written", () => {
    assert.strictEqual(s3Url({ kind: "s3", bucket: "b-1", prefix: "x/y" }), "s3://b-1/x/y")
    assert.strictEqual(s3Url({ kind: "s3", bucket: "b-1", prefix: "" }), "s3://b-1")
  })
})
