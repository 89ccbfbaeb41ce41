// The digest by which a mirror proves that it equals the state it follows: a sum of one hash per entry.

import { blake2b } from "@noble/hashes/blake2b";

import { Tuple } from "./values.js";

const NAN = Buffer.from("647ff8000000000000", "hex");

/** Returns the canonical bytes of a value; equal bytes mean the same value of the same type. */
export function canonical(value) {
  const parts = [];
  write(value, parts);
  return Buffer.concat(parts);
}

/** Returns the hash of one entry of a document, a BigInt of 64 bits. */
export function entryHash(section, key, value) {
  return Buffer.from(blake2b(canonical([section, key, value]), { dkLen: 8 })).readBigUInt64BE();
}

/** Returns the digest of a document: a Map of sections, each a Map of values. */
export function digest(document) {
  let sum = 0n;
  for (const [section, entries] of document) {
    for (const [key, value] of entries) sum += entryHash(section, key, value);
  }
  return BigInt.asUintN(64, sum);
}

function write(value, parts) {
  if (value === null) parts.push(Buffer.from("n"));
  else if (typeof value === "boolean") parts.push(Buffer.from(value ? "t" : "f"));
  else if (typeof value === "bigint") parts.push(Buffer.from(`i${value.toString(16)};`));
  else if (typeof value === "number") parts.push(float(value));
  else if (typeof value === "string") {
    const text = Buffer.from(value);
    parts.push(Buffer.from(`s${text.length}:`), text);
  } else if (value instanceof Map) writeDict(value, parts);
  else {
    const items = value instanceof Tuple ? value.items : value;
    parts.push(Buffer.from(`${value instanceof Tuple ? "u" : "l"}${items.length}:`));
    for (const item of items) write(item, parts);
  }
}

function writeDict(dict, parts) {
  parts.push(Buffer.from(`m${dict.size}:`));
  const entries = [...dict].map(([key, value]) => [canonical(key), value]);
  entries.sort(([a], [b]) => Buffer.compare(a, b));
  for (const [key, value] of entries) {
    parts.push(key);
    write(value, parts);
  }
}

function float(value) {
  if (Number.isNaN(value)) return NAN;
  const bytes = Buffer.alloc(9, "d");
  bytes.writeDoubleBE(value, 1);
  return bytes;
}
