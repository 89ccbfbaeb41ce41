// The values and digests of this Work are those of the protocol's test vectors.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { canonical, digest, entryHash } from "../lib/digest.js";
import { packageDefinition } from "../lib/protocol.js";
import { decodeValue, encodeValue, freeze, Meaningless, Tuple } from "../lib/values.js";

const TESTDATA = new URL("../../../../protos/testdata/", import.meta.url);
const Value = packageDefinition["lightning_grpc.v1.Value"];

const load = (name) => JSON.parse(readFileSync(new URL(name, TESTDATA), "utf8"));
const bytes = (hex) => Buffer.from(hex, "hex");
const hex = (data) => Buffer.from(data).toString("hex");

// Returns the value that the vectors write so.
function read(written) {
  if (written === null || typeof written === "boolean") return written;
  if ("int" in written) return BigInt(written.int);
  if ("float" in written) return bytes(written.float).readDoubleBE();
  if ("text" in written) return written.text;
  if ("list" in written) return written.list.map(read);
  if ("tuple" in written) return new Tuple(written.tuple.map(read));
  return new Map(written.dict.map(([key, value]) => [read(key), read(value)]));
}

test("every value has the message and the canonical bytes of the vectors", () => {
  const { values } = load("values.json");
  assert.ok(values.length > 50);
  for (const { value: written, message, canonical: expected } of values) {
    const value = freeze(read(written));
    assert.equal(hex(canonical(value)), expected);
    assert.equal(hex(Value.serialize(encodeValue(value))), message);
    assert.equal(hex(canonical(decodeValue(Value.deserialize(bytes(message))))), expected);
  }
});

test("other messages of a value are read as that value", () => {
  const { also } = load("values.json");
  assert.ok(also.length > 0);
  for (const { value, message, why } of also) {
    const decoded = decodeValue(Value.deserialize(bytes(message)));
    assert.equal(hex(canonical(decoded)), hex(canonical(freeze(read(value)))), why);
  }
});

test("a message without a meaning is refused", () => {
  const { invalid } = load("values.json");
  assert.ok(invalid.length > 0);
  for (const { message, why } of invalid) {
    let decoded;
    try {
      decoded = Value.deserialize(bytes(message));
    } catch {
      continue; // it is no message
    }
    assert.throws(() => decodeValue(decoded), Meaningless, why);
  }
});

test("every document has the hashes and the digest of the vectors", () => {
  const { documents } = load("documents.json");
  assert.ok(documents.length > 0);
  for (const { document: written, entries, digest: expected } of documents) {
    const document = freeze(read(written));
    for (const { section, key, hash } of entries) {
      const own = entryHash(section, read(key), document.get(section).get(read(key)));
      assert.equal(own.toString(16).padStart(16, "0"), hash);
    }
    assert.equal(digest(document).toString(16).padStart(16, "0"), expected);
  }
});
