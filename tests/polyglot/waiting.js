// A Work for the tests: it says how far it is, for as long as it is asked to, and fails in several ways.

import { Work } from "../../examples/polyglot/node/lib/work.js";

export class Waiting extends Work {
  static parameters = ["what", "count"];
  static receivesUpdates = true;

  constructor() {
    super({ count: 0n, rate: 0.5, items: [1n, 2n], hasEnded: false });
  }

  async run(what, count = 0n) {
    if (what === "throw") throw new RangeError("as it was asked to");
    if (what === "return") return 7;
    if (what === "assign") this.rate = new Date(0);
    if (what === "hold") for (;;) await new Promise((resolve) => setTimeout(resolve, 10_000));
    if (what === "spin") for (;;) await this.breathe();
    for (let n = 0n; n < count; n += 1n) {
      this.count = n + 1n;
      if (what === "slowly") await this.breathe();
    }
  }

  async onExit() {
    console.log("the hook was called");
  }
}
