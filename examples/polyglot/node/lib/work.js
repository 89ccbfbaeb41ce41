// What a Work in JavaScript is made of: attributes that are its state, and a run.

/** Leaves a run because the Work is asked to end. Do not catch it, or throw it again. */
export class Stopped extends Error {
  name = "Stopped";
}

/**
 * One long job. A class of its own says which attributes it has, in its constructor, and what it does, in `run`.
 *
 * Assigning an attribute changes the state; assign a list or a dict anew, what you change inside of it is not seen.
 * `run` shares its thread with the server: one that takes long says `await this.breathe()` now and then.
 */
export class Work {
  /** The names of run's parameters, by which callers may give them. */
  static parameters = [];
  /** What the Work is good for, in a sentence. */
  static documentation = "";
  /** Whether callers may assign attributes while it runs. */
  static receivesUpdates = false;
  /** Whether a failed run fails the app that asked for it. */
  static failsTheApp = true;

  #attributes;
  #isStopping = false;

  constructor(attributes) {
    this.#attributes = Object.entries(attributes);
  }

  /** Does the job; returns nothing. */
  async run() {
    throw new Error(`${this.constructor.name} has no run`);
  }

  /** Is called before the first run. */
  async onStart() {}

  /** Is called when the Work ends. */
  async onExit() {}

  /** Lets the server have its turn; throws Stopped if the Work is to end. */
  async breathe() {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#isStopping) throw new Stopped();
  }

  /** Makes the attributes those of a state; for the server. */
  declare(state) {
    for (const [name, value] of this.#attributes) {
      if (name in this || name.startsWith("_")) throw new TypeError(`no attribute can be called ${name}`);
      state.set("vars", name, value);
      Object.defineProperty(this, name, {
        enumerable: true,
        get: () => state.get("vars", name),
        set: (assigned) => state.set("vars", name, assigned),
      });
    }
  }

  /** Makes the run leave at its next breath; for the server. */
  askToStop() {
    this.#isStopping = true;
  }
}
