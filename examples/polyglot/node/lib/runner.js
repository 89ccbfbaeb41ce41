// Executes runs, one at a time, in the order in which they were accepted; what becomes of them is state.

import { Stopped } from "./work.js";

export const MAX_WAITING = 10_000;
const MAX_KNOWN = 100_000;
const MAX_OUTCOMES = 1000;
const MAX_FINISHED = 1000; // entries of calls that are over; the oldest go

/** A run returned something; it shall put what it has found into attributes. */
class InvalidReturn extends Error {
  name = "InvalidReturn";
}

export class Runner {
  #work;
  #state;
  #waiting = [];
  #known = new Set(); // the identities of the last requests
  #outcomes = new Map(); // identity -> final status, of the last executions
  #finished = new Set(); // the call hashes of the last executions
  #current = null; // the execution under way: its order, its entry and its end
  #startFailure = null;
  #stopReason = null;

  constructor(work, state) {
    this.#work = work;
    this.#state = state;
  }

  get isStopping() {
    return this.#stopReason !== null;
  }

  get isFull() {
    return this.#waiting.length >= MAX_WAITING;
  }

  isKnown(identity) {
    return this.#known.has(identity);
  }

  /** Returns how a known execution has ended; undefined if it has not, or if that is forgotten. */
  outcome(identity) {
    return this.#outcomes.get(identity);
  }

  /** Calls the Work's hook, and says in the state that it has started. */
  async start() {
    const entry = requested("start", String(this.#state.epoch), Date.now() / 1000);
    this.#record("start", entry);
    const status = await this.#attempt(() => this.#work.onStart(), "started");
    if (status.stage === "failed") this.#startFailure = status;
    this.#record("start", advanced(entry, status));
    this.#state.cut();
    this.#goOn();
  }

  /** Accepts an execution. */
  submit(order) {
    keepNewest(this.#known.add(order.identity), MAX_KNOWN);
    this.#waiting.push(order);
    this.#goOn();
  }

  /** Interrupts the execution under way, and drops those that wait; resolves when it is over, or `patienceMs` are. */
  async stop(reason, patienceMs) {
    this.#stopReason = reason;
    this.#work.askToStop();
    const under = this.#current;
    if (under !== null) {
      await Promise.race([under.end, new Promise((resolve) => setTimeout(resolve, patienceMs).unref())]);
      if (this.#current === under) this.#finish(under, this.#stopped("sigterm_signal_handler")); // it does not let go
    }
    for (const order of this.#waiting.splice(0)) {
      const entry = this.#requested(order);
      const status = this.#stopped("sigterm_signal_handler");
      this.#finish({ order, entry }, { ...status, message: "not executed: the Work was asked to end before its turn came" });
    }
    await this.#attempt(() => this.#work.onExit(), "stopped");
  }

  #goOn() {
    if (this.#current !== null || this.#waiting.length === 0 || this.isStopping || !this.#hasStarted()) return;
    const order = this.#waiting.shift();
    this.#current = { order, entry: this.#requested(order), end: null };
    this.#current.end = this.#execute(this.#current);
  }

  async #execute(execution) {
    const { order } = execution;
    let status = this.#startFailure && { ...this.#startFailure, timestamp: Date.now() / 1000 };
    if (status === null) {
      for (const [name, value] of order.attributes) this.#state.set("vars", name, value);
      execution.entry = advanced(execution.entry, { stage: "running", timestamp: Date.now() / 1000 });
      this.#record(order.callHash, execution.entry);
      status = await this.#attempt(() => this.#run(order), "succeeded");
    }
    if (this.#current !== execution) return; // it was given up
    this.#finish(execution, status);
    this.#current = null;
    setImmediate(() => this.#goOn());
  }

  async #run(order) {
    await new Promise((resolve) => setImmediate(resolve)); // after the request was answered
    const result = await this.#work.run(...order.args);
    if (result !== undefined) throw new InvalidReturn("run() returned something; it shall return nothing");
  }

  async #attempt(code, success) {
    try {
      await code();
      return { stage: success, timestamp: Date.now() / 1000 };
    } catch (error) {
      if (error instanceof Stopped && this.isStopping) return this.#stopped("sigterm_signal_handler");
      return this.#failure(error);
    }
  }

  #failure(error) {
    const isError = error instanceof Error;
    return {
      stage: "failed",
      timestamp: Date.now() / 1000,
      reason: error instanceof InvalidReturn ? "invalid_return_value" : "user_exception",
      message: wellFormed(isError ? (error.stack ?? String(error)) : `it threw ${String(error)}, which is no Error`),
      exception: wellFormed(isError ? error.name : typeof error),
      raised: this.#work.constructor.failsTheApp,
    };
  }

  #stopped(reason) {
    return { stage: "stopped", timestamp: Date.now() / 1000, reason, ...(this.#stopReason && { message: this.#stopReason }) };
  }

  // The revision that shows the end also shows all that was written before, for both are written before the cut.
  #finish({ order, entry }, status) {
    this.#record(order.callHash, advanced(entry, status));
    this.#finished.delete(order.callHash); // and to the end of the line
    this.#finished.add(order.callHash);
    const oldest = keepNewest(this.#finished, MAX_FINISHED);
    if (oldest !== undefined) this.#state.delete("calls", oldest);
    this.#state.cut();
    this.#outcomes.set(order.identity, status);
    keepNewest(this.#outcomes, MAX_OUTCOMES);
  }

  #requested(order) {
    const { callHash, callId, requestedAtS, caller } = order;
    const before = this.#state.get("calls", callHash);
    return { ...requested("run", callId, requestedAtS || Date.now() / 1000, before), ...(caller && { caller }) };
  }

  #record(key, entry) {
    this.#state.set("calls", key, entry);
    this.#state.set("calls", "latest_call_hash", key);
  }

  #hasStarted() {
    return this.#state.get("calls", "start")?.get("statuses").length > 1;
  }
}

function requested(name, callId, timestamp, before) {
  const successes = before?.get("successes") ?? 0n;
  return { name, call_id: callId, statuses: [{ stage: "pending", timestamp }], successes };
}

function advanced(entry, status) {
  const after = { ...entry, statuses: [...entry.statuses, status] };
  return status.stage === "succeeded" ? { ...after, successes: entry.successes + 1n, ret: null } : after;
}

// Sets and Maps keep the order in which things came. Returns what had to go, if anything.
function keepNewest(collection, most) {
  if (collection.size <= most) return undefined;
  const oldest = collection.keys().next().value;
  collection.delete(oldest);
  return oldest;
}

function wellFormed(text) {
  return Buffer.from(text).toString();
}
