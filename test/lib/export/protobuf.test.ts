/** Bytes of protobuf's wire format, those of its documentation first. */
import { assert, describe, it } from "@effect/vitest"
import { Message } from "../../../lib/export/protobuf.ts"

const hex = (message: Message): string => Buffer.from(message.finish()).toString("hex")

describe("a protobuf message", () => {
  it.each([
    // protobuf.dev/programming-guides/encoding: 150, "testing", a message with 150 in it.
    ["an integer", new Message().int(1, 150), "089601"],
    ["a text", new Message().text(2, "testing"), "120774657374696e67"],
    ["a message in another", new Message().message(3, new Message().int(1, 150)), "1a03089601"],
    ["packed integers", new Message().ints(6, [3, 270, 86942]), "3206038e029ea705"],
    // int64: a negative number is extended to 64 bits.
    ["a negative integer", new Message().int(1, -1), "08ffffffffffffffffff01"],
    ["a number over 32 bits", new Message().int(1, 2 ** 40), "08808080808020"],
    ["a float", new Message().float(1, 1.5), "0d0000c03f"],
    ["a field over 15", new Message().int(20, 1), "a00101"],
    [
      "an entry of a map",
      new Message().entry(7, "a", new Message().int(1, 1)),
      "3a070a0161120208 01".replace(" ", "")
    ],
    ["no bytes", new Message().bytes(1, new Uint8Array(0)), "0a00"]
  ])("writes %s", (_, message, expected) => assert.strictEqual(hex(message), expected))
})
