// The server around a Work: its token, health and reflection, and its life from the first call to the last.

import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

import grpc from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";

import { Output } from "./output.js";
import { packageDefinition, SERVICE_NAME, workService } from "./protocol.js";
import { Refusal } from "./refusal.js";
import { Runner } from "./runner.js";
import { WorkServicer } from "./service.js";
import { State } from "./state.js";

const MAX_MESSAGE_BYTES = 64 << 20;
const DEFAULT_GRACE_S = 3;
const DRAIN_MS = 500;
const OPTIONS = {
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 2_000,
  "grpc.keepalive_permit_without_calls": 1,
};

export class Server {
  #runner;
  #servicer;
  #output;
  #health = new HealthImplementation({ "": "SERVING", [SERVICE_NAME]: "SERVING" });
  #server;
  #isEnding = false;

  /** Serves `work` as `name`; callers must carry `token`, if there is one. */
  constructor(work, { name, token = "" }) {
    this.work = work;
    this.state = new State(process.hrtime.bigint() % 1_000_000n + BigInt(Date.now()) * 1_000_000n);
    this.state.set("calls", "latest_call_hash", null);
    work.declare(this.state);
    this.state.cut();
    this.#runner = new Runner(work, this.state);
    this.#output = new Output(name);
    const end = (graceS, reason) => void this.end(graceS, reason);
    this.#servicer = new WorkServicer({ name, work, state: this.state, runner: this.#runner, output: this.#output, end });
    this.#server = new grpc.Server({ ...OPTIONS, interceptors: token ? [authentication(token)] : [] });
    this.#server.addService(workService, this.#servicer.handlers());
    this.#health.addToServer(this.#server);
    new ReflectionService(packageDefinition).addToServer(this.#server);
  }

  /** Listens at `address` with `credentials`; resolves to the address to reach it at. */
  async start(address, credentials) {
    const port = await new Promise((resolve, reject) => {
      this.#server.bindAsync(address, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    this.#output.capture();
    void this.#runner.start();
    return address.startsWith("unix:") ? address : address.replace(/:\d+$/, `:${port}`);
  }

  /** Ends the program within `graceS` seconds (0: 3 s), in order if the Work lets go in time. */
  async end(graceS, reason) {
    const graceMs = (graceS || DEFAULT_GRACE_S) * 1000;
    setTimeout(() => process.exit(71), graceMs).unref();
    if (this.#isEnding) return;
    this.#isEnding = true;
    for (const service of ["", SERVICE_NAME]) this.#health.setStatus(service, "NOT_SERVING");
    await this.#runner.stop(reason, graceMs * 0.6);
    this.state.close();
    this.#output.close();
    await this.#streamsEnded();
    await new Promise((resolve) => {
      this.#server.tryShutdown(resolve);
      setTimeout(resolve, DRAIN_MS).unref();
    });
    process.exit(0);
  }

  async #streamsEnded() {
    const untilMs = performance.now() + DRAIN_MS;
    while (this.#servicer.streams.size > 0 && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Returns the credentials of a server: TLS if files are given, and mTLS with a CA of the clients. */
export function serverCredentials({ certificate, key, clientCa }) {
  if (!certificate) return grpc.ServerCredentials.createInsecure();
  const pair = { cert_chain: readFileSync(certificate), private_key: readFileSync(key) };
  return grpc.ServerCredentials.createSsl(clientCa ? readFileSync(clientCa) : null, [pair], Boolean(clientCa));
}

// Refuses every call, of any service of the server, that does not carry the token.
function authentication(token) {
  const expected = digestOf(`Bearer ${token}`);
  const isRight = (given) => given.length === 1 && timingSafeEqual(digestOf(String(given[0])), expected);
  return (_method, call) =>
    new grpc.ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, proceed) => {
            if (isRight(metadata.get("authorization"))) return proceed(metadata);
            const message = "this server answers only calls with its token in the metadata 'authorization: Bearer TOKEN'";
            call.sendStatus(new Refusal(grpc.status.UNAUTHENTICATED, "TOKEN_REQUIRED", message).status());
          },
        }),
    });
}

function digestOf(text) {
  return createHash("sha256").update(text).digest();
}
