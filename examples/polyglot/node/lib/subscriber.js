// One subscriber's stream: it is at some revision, and that is all that is kept of it, however slow it is.

import { messagesOf } from "./state.js";

const BEAT_MS = 1000;
const QUIET_BEATS = 3; // after so many without a frame there is a sign of life
const PROOF_BEATS = 20; // a digest comes this often, however busy or quiet it is

export class Subscriber {
  #state;
  #call;
  #revision;
  #isProven = false;
  #quietBeats = 0;
  #beatsSinceProof = 0;
  #isGone = false;
  #wake = () => {};

  /** A stream over `call`, which goes on after `revision`, a Number; 0 asks for a snapshot. */
  constructor(state, call, revision) {
    this.#state = state;
    this.#call = call;
    this.#revision = revision;
  }

  /** Sends frames until the subscriber is gone, or the state is closed and all of it was sent. */
  async serve() {
    const unlisten = this.#state.listen(() => this.#wake());
    const beat = setInterval(() => this.#beat(), BEAT_MS);
    this.#call.on("cancelled", () => this.#leave());
    this.#call.on("close", () => this.#leave());
    try {
      while (!this.#isGone) {
        const frame = this.#next();
        if (frame !== null) await this.#send(frame);
        else if (this.#state.isClosed) break;
        else await new Promise((resolve) => (this.#wake = resolve));
      }
    } finally {
      clearInterval(beat);
      unlisten();
    }
    this.#call.end();
  }

  #next() {
    const frame = this.#state.after(this.#revision);
    if (frame) return this.#goTo(this.#revision + 1, frame);
    if (frame === undefined) return this.#goTo(this.#state.revision, this.#state.snapshot());
    return this.#isDue() ? this.#bookmark() : null;
  }

  #goTo(revision, frame) {
    this.#revision = revision;
    this.#isProven = false;
    this.#quietBeats = 0;
    return frame;
  }

  #bookmark() {
    const withDigest = !this.#isProven || this.#beatsSinceProof >= PROOF_BEATS;
    if (withDigest) this.#beatsSinceProof = 0;
    this.#isProven = true;
    this.#quietBeats = 0;
    return this.#state.bookmark(withDigest);
  }

  #isDue() {
    return this.#quietBeats >= (this.#isProven ? QUIET_BEATS : 1) || this.#beatsSinceProof >= PROOF_BEATS;
  }

  #beat() {
    this.#quietBeats += 1;
    this.#beatsSinceProof += 1;
    if (this.#isDue()) this.#wake();
  }

  async #send(frame) {
    for (const message of messagesOf(frame)) {
      if (this.#isGone) return;
      if (!this.#call.write(message)) await this.#drained();
    }
  }

  #drained() {
    return new Promise((resolve) => {
      this.#call.once("drain", resolve);
      this.#wake = () => this.#isGone && resolve();
    });
  }

  #leave() {
    this.#isGone = true;
    this.#wake();
  }
}
