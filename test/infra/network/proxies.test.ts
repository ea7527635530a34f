/** Which proxy is asked for what, as the AWS tools read the variables. */
import { assert, describe, it } from "@effect/vitest"
import { proxiesIn } from "../../../infra/network/proxies.ts"

type Environment = { readonly [name: string]: string }

const proxyIn = (environment: Environment, address: string) => {
  const { hostname, port, protocol } = new URL(address)
  return proxiesIn(environment)?.({ protocol, hostname, port: port === "" ? undefined : Number(port) })
}

const addressIn = (environment: Environment, address = "https://s3.eu-central-1.amazonaws.com") =>
  proxyIn(environment, address)?.address

describe("proxies of the environment", () => {
  it("are named for a scheme each, in small letters first", () => {
    const both = { HTTPS_PROXY: "http://a:1", HTTP_PROXY: "http://b:2" }
    assert.strictEqual(addressIn(both), "http://a:1")
    assert.strictEqual(addressIn(both, "http://minio:9000"), "http://b:2")
    assert.strictEqual(addressIn({ ...both, https_proxy: "http://c:3" }), "http://c:3")
    assert.isUndefined(addressIn({ ...both, https_proxy: "" }))
    assert.isUndefined(addressIn({ HTTP_PROXY: "http://b:2" }))
    assert.isUndefined(proxiesIn({ HTTPS_PROXY: " ", NO_PROXY: "*" }))
  })

  it("may be written short, and with a user and password", () => {
    const { authorization, ...proxy } = proxyIn(
      { HTTPS_PROXY: "me:p%40%23@proxy.corp:3128" },
      "https://s3.test"
    )!
    assert.strictEqual(authorization, `Basic ${Buffer.from("me:p@#").toString("base64")}`)
    assert.deepStrictEqual(proxy, {
      variable: "HTTPS_PROXY",
      address: "http://proxy.corp:3128",
      protocol: "http:",
      hostname: "proxy.corp",
      port: 3128
    })
    assert.strictEqual(proxyIn({ https_proxy: "https://[::1]" }, "https://s3.test")!.port, 443)
    assert.strictEqual(proxyIn({ https_proxy: "https://[::1]" }, "https://s3.test")!.hostname, "::1")
  })

  it.each([
    "",
    "http://",
    "http://a:port",
    "ftp://a",
    "http://me:p#1@a:80",
    "http://me:p/1@a:80",
    "http://me:%zz@a"
  ])("that make no sense are said so without a password: %s", (text) => {
    if (text === "") return assert.isUndefined(proxiesIn({ HTTPS_PROXY: text }))
    assert.throws(
      () => proxiesIn({ HTTPS_PROXY: text }),
      /^HTTPS_PROXY (?!.*(p#1|p\/1|%zz)).*http:\/\/host:port$/
    )
  })

  it.each([
    ["s3.eu-central-1.amazonaws.com", true],
    ["amazonaws.com", true],
    [".amazonaws.com", true],
    ["*.amazonaws.com", true],
    ["other, .AmazonAWS.com", true],
    ["other amazonaws.com:443", true],
    ["*", true],
    ["amazonaws.com:9000", false],
    ["naws.com", false],
    ["s3.eu-central-1.amazonaws.com.evil.com", false],
    [".", false],
    ["", false]
  ])("are passed by for names in NO_PROXY: %s", (NO_PROXY, isPassedBy) => {
    assert.strictEqual(addressIn({ HTTPS_PROXY: "http://a:1", NO_PROXY }) === undefined, isPassedBy)
  })

  it.each([
    ["10.1.2.3", true],
    ["10.1.2.3:9000", true],
    ["10.0.0.0/8", true],
    ["10.1.2.3/33", false],
    ["10.2.0.0/16", false],
    ["1.2.3", false],
    ["fd00::/8", false]
  ])("are passed by for addresses in no_proxy: %s", (no_proxy, isPassedBy) => {
    const environment = { HTTP_PROXY: "http://a:1", no_proxy }
    assert.strictEqual(addressIn(environment, "http://10.1.2.3:9000") === undefined, isPassedBy)
  })

  it("reach nothing on this machine, and IPv6 networks by their bits", () => {
    const environment = { HTTP_PROXY: "http://a:1", NO_PROXY: "fd00::/8" }
    for (const host of ["localhost", "bucket.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[fd12::1]"]) {
      assert.isUndefined(addressIn(environment, `http://${host}:9000`), host)
    }
    for (const host of ["[fe80::1]", "localhost.corp", "128.0.0.1", "127.corp"]) {
      assert.strictEqual(addressIn(environment, `http://${host}:9000`), "http://a:1", host)
    }
  })
})
