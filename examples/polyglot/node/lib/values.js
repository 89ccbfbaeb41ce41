// Values, exactly: what state holds, in JavaScript's terms and in the protocol's.
//
// An int is a BigInt and a float is a Number, so that 1 and 1.0 stay two values. A text is a string, a list an
// Array, a dict a `Dict` (or, where a value is given, any Map or plain object), a tuple a `Tuple`; null, true and
// false are themselves.

export const MAX_DEPTH = 40;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** What is no value of state; the message says what it is. */
export class InvalidValue extends TypeError {
  name = "InvalidValue";
}

/** A message that has no meaning. */
export class Meaningless extends InvalidValue {
  name = "Meaningless";
}

/** A sequence that is one value: never changed inside. */
export class Tuple {
  constructor(items) {
    this.items = Object.freeze([...items]);
    Object.freeze(this);
  }
}

/** A mapping from texts and ints to values, in order. It stays as it was made. */
export class Dict extends Map {
  static of(entries) {
    const dict = new Dict();
    for (const [key, value] of entries) Map.prototype.set.call(dict, key, value);
    return Object.freeze(dict);
  }

  set() {
    throw new TypeError("a dict of the state stays as it is; assign a new one to the attribute");
  }

  delete() {
    this.set();
  }

  clear() {
    this.set();
  }
}

/** Returns a value of which nothing can be changed, made of what the caller gave; throws InvalidValue. */
export function freeze(given, depth = 0) {
  switch (typeof given) {
    case "bigint":
    case "number":
    case "boolean":
      return given;
    case "string":
      if (LONE_SURROGATE.test(given)) throw new InvalidValue("a text with a lone surrogate, which no encoding carries");
      return given;
  }
  if (given === null) return null;
  if (typeof given !== "object") throw new InvalidValue(`${String(given)} is a ${typeof given}, which is no value`);
  if (depth >= MAX_DEPTH) throw new InvalidValue(`containers are nested more than ${MAX_DEPTH} deep`);
  const inner = (item) => freeze(item, depth + 1);
  if (Array.isArray(given)) return Object.freeze(given.map(inner));
  if (given instanceof Tuple) return new Tuple(given.items.map(inner));
  if (given instanceof Map) return Dict.of([...given].map(([key, item]) => [freezeKey(key), inner(item)]));
  if (isPlain(given)) return Dict.of(Object.entries(given).map(([key, item]) => [freezeKey(key), inner(item)]));
  throw new InvalidValue(`an object of the class ${given.constructor?.name} is no value`);
}

/** Names a value's type as the protocol's documents do. */
export function typeName(value) {
  if (value === null) return "None";
  if (Array.isArray(value)) return "list";
  if (value instanceof Tuple) return "tuple";
  if (value instanceof Map) return "dict";
  return { bigint: "int", number: "float", boolean: "bool", string: "str" }[typeof value];
}

/** Returns the message, as proto-loader takes it, for a value that `freeze` has returned. */
export function encodeValue(value) {
  switch (typeof value) {
    case "bigint":
      return fits(value) ? { intValue: String(value) } : { bigIntValue: bytesOf(value) };
    case "number":
      return { floatValue: value };
    case "boolean":
      return { boolValue: value };
    case "string":
      return { textValue: value };
  }
  if (value === null) return { nullValue: 0 };
  if (Array.isArray(value)) return { listValue: encodeSequence(value) };
  if (value instanceof Tuple) return { tupleValue: encodeSequence(value.items) };
  return { dictValue: { keys: [...value.keys()].map(encodeKey), values: [...value.values()].map(encodeValue) } };
}

/** Returns the value of a message; throws Meaningless if it has none. */
export function decodeValue(message, depth = 0) {
  switch (message.kind) {
    case "nullValue":
      return null;
    case "intValue":
      return BigInt(message.intValue);
    case "bigIntValue":
      return intOf(message.bigIntValue);
    case "boolValue":
    case "floatValue":
      return message[message.kind];
    case "textValue":
      return freeze(message.textValue);
  }
  if (message.kind === undefined) throw new Meaningless("a Value without a kind");
  if (depth >= MAX_DEPTH) throw new InvalidValue(`containers are nested more than ${MAX_DEPTH} deep`);
  if (message.kind === "listValue") return Object.freeze(decodeItems(message.listValue, depth + 1));
  if (message.kind === "tupleValue") return new Tuple(decodeItems(message.tupleValue, depth + 1));
  return decodeDict(message.dictValue, depth + 1);
}

/** Returns the message for a key. */
export function encodeKey(key) {
  if (typeof key === "string") return { text: key };
  return fits(key) ? { int: String(key) } : { bigInt: bytesOf(key) };
}

function decodeKey(message) {
  if (message.kind === "text") return freeze(message.text);
  if (message.kind === "int") return BigInt(message.int);
  if (message.kind === "bigInt") return intOf(message.bigInt);
  throw new Meaningless("a Key without a kind");
}

function decodeItems(message, depth) {
  const forms = [message.values, message.ints, message.floats, message.texts].filter((form) => form.length > 0);
  if (forms.length > 1) throw new Meaningless("a Sequence with items of several forms");
  if (message.ints.length > 0) return message.ints.map(BigInt);
  if (message.floats.length > 0) return message.floats;
  if (message.texts.length > 0) return message.texts.map((text) => freeze(text));
  return message.values.map((item) => decodeValue(item, depth));
}

function decodeDict({ keys, values }, depth) {
  if (keys.length !== values.length) {
    throw new Meaningless(`a Mapping of ${keys.length} keys and ${values.length} values`);
  }
  const dict = Dict.of(keys.map((key, index) => [decodeKey(key), decodeValue(values[index], depth)]));
  if (dict.size !== keys.length) throw new Meaningless("a Mapping with the same key twice");
  return dict;
}

function encodeSequence(items) {
  if (items.length >= 4) {
    if (items.every((item) => typeof item === "bigint" && fits(item))) return { ints: items.map(String) };
    if (items.every((item) => typeof item === "number")) return { floats: items };
    if (items.every((item) => typeof item === "string")) return { texts: items };
  }
  return { values: items.map(encodeValue) };
}

function freezeKey(key) {
  if (typeof key !== "string" && typeof key !== "bigint") {
    throw new InvalidValue(`${String(key)} is a ${typeof key}; keys are texts and ints`);
  }
  return freeze(key);
}

function isPlain(object) {
  const prototype = Object.getPrototypeOf(object);
  return prototype === null || prototype === Object.prototype;
}

function fits(int) {
  return BigInt.asIntN(64, int) === int;
}

// Two's complement, big endian, as few bytes as hold it.
function bytesOf(int) {
  let size = 1;
  while (BigInt.asIntN(8 * size, int) !== int) size += size < 64 ? 1 : size >> 3;
  while (size > 1 && BigInt.asIntN(8 * (size - 1), int) === int) size -= 1;
  const hex = BigInt.asUintN(8 * size, int).toString(16);
  return Buffer.from(hex.padStart(2 * size, "0"), "hex");
}

function intOf(bytes) {
  if (bytes.length === 0) return 0n;
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).toString("hex")}`));
}
