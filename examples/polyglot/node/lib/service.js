// WorkService: what a Work answers.

import grpc from "@grpc/grpc-js";

import { Garbage, VERSION } from "./protocol.js";
import { Refusal } from "./refusal.js";
import { Subscriber } from "./subscriber.js";
import { decodeValue, encodeValue, freeze, InvalidValue, Meaningless, typeName } from "./values.js";

const { status } = grpc;
const MAX_NAME_BYTES = 1000; // of what stays in the state
const RESERVED = ["start", "latest_call_hash"]; // keys of the Work's own in `calls`
const IMPLEMENTATION = `polyglot-work on Node.js ${process.versions.node}`;

export class WorkServicer {
  /** Serves `work`, whose attributes are declared in `state`; `end(graceS, reason)` ends the program. */
  constructor({ name, work, state, runner, output, end }) {
    Object.assign(this, { name, work, state, runner, output, end });
    this.streams = new Set();
  }

  /** Returns the handlers for grpc-js. */
  handlers() {
    return {
      Describe: this.#unary(() => this.#describe()),
      Run: this.#unary((request) => this.#run(request)),
      Update: this.#unary((request) => this.#update(request)),
      Stop: this.#unary((request) => this.#stop(request)),
      StateDelta: this.#streaming((call) => this.#stateDelta(call)),
      Logs: this.#streaming((call) => this.output.serve(call, call.request.tail, call.request.follow)),
    };
  }

  #describe() {
    const { parameters, documentation, receivesUpdates } = this.work.constructor;
    return {
      name: this.name,
      className: this.work.constructor.name,
      epoch: String(this.state.epoch),
      protocolVersion: VERSION,
      attributes: [...this.state.entries("vars")].map(([name, value]) => ({ name, type: typeName(value) })),
      runSignature: `(${parameters.join(", ")})`,
      revision: String(this.state.revision),
      receivesUpdates,
      documentation,
      implementation: IMPLEMENTATION,
    };
  }

  #run(request) {
    this.#checkEpoch(request.epoch);
    const { callId, callHash, caller, requestedAtS } = request;
    if (!callId || !callHash) {
      throw new Refusal(status.INVALID_ARGUMENT, "CALL_UNNAMED", "call_id and call_hash must not be empty");
    }
    const identity = JSON.stringify([caller, callId]); // a caller's ids are its own
    if (this.runner.isKnown(identity)) {
      const outcome = this.runner.outcome(identity);
      return { alreadyKnown: true, finalStatus: outcome && encodeValue(freeze(outcome)) };
    }
    if (this.runner.isStopping) throw new Refusal(status.UNAVAILABLE, "STOPPING", `${this.name} is ending`);
    const order = { identity, callId, callHash, caller, requestedAtS, ...this.#read(request) };
    if (this.runner.isFull) {
      const message = `too many calls of ${this.name} are waiting; try again when some have finished`;
      throw new Refusal(status.RESOURCE_EXHAUSTED, "QUEUE_FULL", message);
    }
    this.runner.submit(order);
    return { alreadyKnown: false };
  }

  // Arguments by name are put where the Work's parameters of these names are.
  #read(request) {
    return this.#valuesOr("ARGUMENT_INVALID", () => {
      checkNames(request);
      checkSeconds("requested_at_s", request.requestedAtS);
      const attributes = Object.entries(request.attributes).map(([name, value]) => [name, decodeValue(value)]);
      this.#checkAttributes(attributes.map(([name]) => name));
      const { parameters } = this.work.constructor;
      const args = request.args.map((value) => decodeValue(value));
      if (args.length > parameters.length) {
        throw new InvalidValue(`run takes ${parameters.length} arguments at most, ${args.length} were given`);
      }
      for (const [name, value] of Object.entries(request.kwargs)) {
        const index = parameters.indexOf(name);
        if (index < 0 || index < request.args.length) {
          throw new InvalidValue(`run takes no argument ${name}${index < 0 ? "" : ", which was given by position, too"}`);
        }
        args[index] = decodeValue(value);
      }
      return { args, attributes };
    });
  }

  #update(request) {
    this.#checkEpoch(request.epoch);
    if (!this.work.constructor.receivesUpdates) {
      const message = `${this.name} takes no updates from outside`;
      throw new Refusal(status.FAILED_PRECONDITION, "UPDATES_NOT_RECEIVED", message);
    }
    const updates = this.#valuesOr("UPDATE_INVALID", () => {
      this.#checkAttributes(request.updates.map(({ name }) => name));
      return request.updates.map(({ name, value, baseRevision }) => ({
        name,
        value: decodeValue(value ?? {}),
        base: Number(baseRevision),
      }));
    });
    const conflicts = [];
    for (const { name, value, base } of updates) {
      const changedAt = this.state.changedAt(name);
      if (changedAt === 0 || changedAt > base) conflicts.push({ name, revision: String(changedAt) });
      else this.state.set("vars", name, value);
    }
    this.state.cut();
    return { revision: String(this.state.revision), conflicts };
  }

  #stop({ graceS, reason }) {
    this.#valuesOr("ARGUMENT_INVALID", () => checkSeconds("grace_s", graceS));
    this.end(graceS, reason);
    return {};
  }

  async #stateDelta(call) {
    this.#checkEpoch(call.request.epoch);
    await new Subscriber(this.state, call, Number(call.request.afterRevision)).serve();
  }

  #checkEpoch(given) {
    const own = String(this.state.epoch);
    if (given !== "0" && given !== own) {
      const message = `${this.name} is at epoch ${own}, not ${given}: it was started anew`;
      throw new Refusal(status.FAILED_PRECONDITION, "EPOCH_MISMATCH", message, { epoch: own });
    }
  }

  #checkAttributes(names) {
    for (const name of names) {
      if (this.state.get("vars", name) === undefined) throw new InvalidValue(`${this.name} has no attribute ${name}`);
    }
  }

  #valuesOr(reason, read) {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      const told = error instanceof Meaningless ? "MESSAGE_INVALID" : reason;
      throw new Refusal(status.INVALID_ARGUMENT, told, error.message);
    }
  }

  // The Work that a call means, if it names one, must be this one; and its request must be a message.
  #check(call) {
    const [meant] = call.metadata.get("work-name");
    if (meant !== undefined && meant !== this.name) {
      throw new Refusal(status.NOT_FOUND, "WORK_UNKNOWN", `there is no Work ${meant} here, only ${this.name}`);
    }
    if (call.request instanceof Garbage) {
      const message = `the request is no message: ${call.request.reason}`;
      throw new Refusal(status.INVALID_ARGUMENT, "MESSAGE_INVALID", message);
    }
  }

  #unary(answer) {
    return (call, callback) => {
      try {
        this.#check(call);
        callback(null, answer(call.request));
      } catch (error) {
        callback(statusOf(error));
      }
    };
  }

  #streaming(serve) {
    return async (call) => {
      this.streams.add(call);
      try {
        this.#check(call);
        await serve(call);
      } catch (error) {
        call.emit("error", statusOf(error));
      } finally {
        this.streams.delete(call);
      }
    };
  }
}

function checkNames({ callId, callHash, caller }) {
  for (const [field, text] of Object.entries({ call_id: callId, call_hash: callHash, caller })) {
    if (Buffer.byteLength(freeze(text)) > MAX_NAME_BYTES) {
      throw new InvalidValue(`the ${field} is longer than ${MAX_NAME_BYTES} bytes; give a shorter one`);
    }
  }
  if (RESERVED.includes(callHash)) {
    throw new InvalidValue(`the call_hash ${callHash} is a key of the Work's own in its calls; give another one`);
  }
}

function checkSeconds(field, number) {
  if (!(Number.isFinite(number) && number >= 0)) throw new InvalidValue(`${field} is a number of seconds, not ${number}`);
}

function statusOf(error) {
  if (error instanceof Refusal) return error.status();
  console.error(error); // a fault of this program; the caller is told so
  return { code: status.INTERNAL, details: `the Work's server failed: ${error}` };
}
