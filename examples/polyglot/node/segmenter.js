// A Work that finds the words of a text in any language, which JavaScript's own library can do.

import { Work } from "./lib/work.js";

const BREATH = 500; // words

export class Segmenter extends Work {
  static parameters = ["text", "locale"];
  static documentation = "Finds the words of a text, also where no spaces stand between them, and counts each.";

  constructor() {
    super({
      title: null, // of the text; whatever the caller wants to remember
      locale: "",
      found: 0n,
      counts: {},
    });
  }

  async run(text, locale = "en") {
    const segmenter = new Intl.Segmenter(locale, { granularity: "word" });
    const counts = new Map();
    this.locale = locale;
    this.found = 0n;
    this.counts = counts;
    for (const { segment, isWordLike } of segmenter.segment(text)) {
      if (!isWordLike) continue;
      const word = segment.toLocaleLowerCase(locale);
      counts.set(word, (counts.get(word) ?? 0n) + 1n);
      this.found += 1n;
      if (this.found % BigInt(BREATH) === 0n) await this.breathe();
    }
    this.counts = counts;
    console.log(`${this.title ?? "a text"}: ${this.found} words, ${counts.size} different ones`);
  }
}
