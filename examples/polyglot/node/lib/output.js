// What the program prints, kept for a while for whoever wants to read it.

const MAX_LINES = 2000;
const MAX_BYTES = 1 << 20;
const MAX_LINE = 8192;
const BATCH = 200;

export class Output {
  #component;
  #lines = [];
  #bytes = 0;
  #forgotten = 0; // lines that were there before those that are kept
  #begun = { stdout: "", stderr: "" };
  #readers = new Set();
  #isClosed = false;

  constructor(component) {
    this.#component = component;
  }

  /** Keeps what is printed from now on, too; it goes where it went before. */
  capture() {
    for (const kind of ["stdout", "stderr"]) {
      const stream = process[kind];
      const write = stream.write.bind(stream);
      stream.write = (chunk, ...rest) => {
        this.#feed(kind, typeof chunk === "string" ? chunk : Buffer.from(chunk).toString());
        return write(chunk, ...rest);
      };
    }
  }

  /** Lets readers end when they have read everything. */
  close() {
    for (const kind of Object.keys(this.#begun)) if (this.#begun[kind]) this.#feed(kind, "\n");
    this.#isClosed = true;
    for (const wake of this.#readers) wake();
  }

  /** Writes the newest `tail` lines to a call, and if asked those that come. */
  async serve(call, tail, follow) {
    let wake = () => {};
    let isGone = false;
    const notify = () => wake();
    this.#readers.add(notify);
    for (const event of ["cancelled", "close"]) call.on(event, () => ((isGone = true), wake()));
    try {
      let at = Math.max(this.#forgotten, this.#forgotten + this.#lines.length - tail);
      while (!isGone) {
        const dropped = Math.max(0, this.#forgotten - at);
        const lines = this.#lines.slice(at + dropped - this.#forgotten).slice(0, BATCH);
        at += dropped + lines.length;
        if (lines.length > 0) {
          const hasRoom = call.write({ lines, dropped: String(dropped) });
          if (!hasRoom) await new Promise((resolve) => (call.once("drain", resolve), (wake = () => isGone && resolve())));
        } else if (!follow || this.#isClosed) {
          break;
        } else {
          await new Promise((resolve) => (wake = resolve));
        }
      }
    } finally {
      this.#readers.delete(notify);
    }
    call.end();
  }

  #feed(kind, text) {
    const lines = (this.#begun[kind] + text).split("\n");
    this.#begun[kind] = lines.pop();
    for (const line of lines) {
      for (let start = 0; start === 0 || start < line.length; start += MAX_LINE) {
        this.#keep({ component: this.#component, kind, atS: Date.now() / 1000, text: line.slice(start, start + MAX_LINE) });
      }
    }
    for (const wake of this.#readers) wake();
  }

  #keep(line) {
    this.#lines.push(line);
    this.#bytes += line.text.length;
    while (this.#lines.length > MAX_LINES || this.#bytes > MAX_BYTES) {
      this.#bytes -= this.#lines.shift().text.length;
      this.#forgotten += 1;
    }
  }
}
