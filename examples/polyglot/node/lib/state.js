// A Work's state: one document, its revisions, and the newest of them as frames that can be sent again.

import { entryHash } from "./digest.js";
import { serializeFrame, uint64 } from "./protocol.js";
import { encodeKey, encodeValue, freeze } from "./values.js";

export const MAX_REVISIONS = 1024;
export const MAX_BYTES = 4 << 20;
const CHUNK_BYTES = 1 << 20;
const PAUSE_MS = 2; // between two cuts, while writes keep coming

export class State {
  #sections = { vars: new Map(), calls: new Map() };
  #dirty = new Map(); // "section key" -> [section, key], as written since the last cut
  #changedAt = new Map(); // attribute -> the revision in which it has last changed
  #history = [];
  #historyBytes = 0;
  #hashes = new Map();
  #sum = 0n;
  #stale = new Map();
  #snapshot = null;
  #cutAtMs = 0;
  #unschedule = null; // takes back the cut that is due
  #listeners = new Set();

  /** An incarnation of a Work's state; `epoch` is a BigInt, higher than that of any before. */
  constructor(epoch) {
    this.epoch = epoch;
    this.revision = 0;
    this.isClosed = false;
  }

  /** Returns a value; undefined if there is none. */
  get(section, key) {
    return this.#sections[section].get(key);
  }

  /** Returns the entries of a section. */
  entries(section) {
    return this.#sections[section].entries();
  }

  /** Writes a value, which stays as it is now whatever becomes of what the caller gave; throws InvalidValue. */
  set(section, key, value) {
    this.#sections[section].set(key, freeze(value));
    this.#touch(section, key);
  }

  /** Takes a value away, and with it its key. */
  delete(section, key) {
    if (this.#sections[section].delete(key)) this.#touch(section, key);
  }

  /** Returns the revision in which an attribute has last changed; 0 if that change has no revision yet. */
  changedAt(key) {
    return this.#dirty.has(`vars ${key}`) ? 0 : this.#changedAt.get(key);
  }

  /** Makes all that was written since the last cut one revision. User code runs on the same thread: it is at rest now. */
  cut() {
    this.#unschedule?.();
    this.#unschedule = null;
    if (this.#dirty.size === 0) return;
    this.#cutAtMs = performance.now();
    this.revision += 1;
    const changes = [];
    for (const [name, [section, key]] of this.#dirty) {
      const path = [encodeKey(section), encodeKey(key)];
      const value = this.#sections[section].get(key);
      changes.push(value === undefined ? { path, delete: {} } : { path, set: encodeValue(value) });
      this.#stale.set(name, [section, key]);
      if (section === "vars") this.#changedAt.set(key, this.revision);
    }
    this.#dirty.clear();
    this.#snapshot = null;
    this.#remember(
      serializeFrame({
        deltas: {
          epoch: uint64(this.epoch),
          deltas: [{ revision: uint64(this.revision), changes }],
          madeAtS: Date.now() / 1000,
        },
      }),
    );
    this.#wake();
  }

  /** Returns the frame that makes revision + 1; null if that is not there yet, undefined if it is there no more. */
  after(revision) {
    if (revision === this.revision) return null;
    const behind = this.revision - revision;
    return behind > 0 && revision > 0 ? this.#history.at(-behind) : undefined;
  }

  /** Returns the frame with the whole document. */
  snapshot() {
    if (this.#snapshot === null) {
      const document = new Map(Object.entries(this.#sections));
      this.#snapshot = serializeFrame({
        snapshot: {
          epoch: uint64(this.epoch),
          revision: uint64(this.revision),
          document: encodeValue(document),
        },
      });
    }
    return this.#snapshot;
  }

  /** Returns the frame that says that nothing has changed. */
  bookmark(withDigest) {
    const digest = withDigest ? uint64(this.#digest()) : undefined;
    return serializeFrame({ bookmark: { epoch: uint64(this.epoch), revision: uint64(this.revision), digest } });
  }

  /** Calls `listener` after each revision, and when the state is closed; returns what ends that. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes the last revision; nothing is written any more. */
  close() {
    this.cut();
    this.isClosed = true;
    this.#wake();
  }

  #touch(section, key) {
    this.#dirty.set(`${section} ${key}`, [section, key]);
    this.#schedule();
  }

  #schedule() {
    if (this.#unschedule !== null || this.revision === 0) return; // the first cut is made when all is declared
    const waitMs = this.#cutAtMs + PAUSE_MS - performance.now();
    if (waitMs > 0) {
      const timeout = setTimeout(() => this.cut(), waitMs);
      this.#unschedule = () => clearTimeout(timeout);
    } else {
      const immediate = setImmediate(() => this.cut());
      this.#unschedule = () => clearImmediate(immediate);
    }
  }

  #remember(frame) {
    this.#history.push(frame);
    this.#historyBytes += frame.length;
    while (this.#history.length > MAX_REVISIONS || this.#historyBytes > MAX_BYTES) {
      this.#historyBytes -= this.#history.shift().length;
    }
  }

  // Each entry that has changed is hashed once, when somebody asks.
  #digest() {
    for (const [name, [section, key]] of this.#stale) {
      const value = this.#sections[section].get(key);
      const hash = value === undefined ? 0n : entryHash(section, key, value);
      this.#sum = BigInt.asUintN(64, this.#sum - (this.#hashes.get(name) ?? 0n) + hash);
      if (value === undefined) this.#hashes.delete(name);
      else this.#hashes.set(name, hash);
    }
    this.#stale.clear();
    return this.#sum;
  }

  #wake() {
    for (const listener of this.#listeners) listener();
  }
}

/** Yields the messages that carry a frame: itself, or the parts of one that is too large. */
export function* messagesOf(frame) {
  if (frame.length <= CHUNK_BYTES) {
    yield frame;
    return;
  }
  for (let start = 0; start < frame.length; start += CHUNK_BYTES) {
    const data = frame.subarray(start, start + CHUNK_BYTES);
    yield serializeFrame({ chunk: { data, last: start + CHUNK_BYTES >= frame.length } });
  }
}
