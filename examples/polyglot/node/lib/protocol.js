// The protocol as this repository's protos describe it, loaded when the program starts; no generated code.

import { fileURLToPath } from "node:url";

import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

export const VERSION = { major: 1, minor: 1 };
export const SERVICE_NAME = "lightning_grpc.v1.WorkService";

const PROTOS = fileURLToPath(new URL("../../../../protos", import.meta.url));

export const packageDefinition = protoLoader.loadSync("lightning_grpc/v1/work_service.proto", {
  includeDirs: [PROTOS],
  longs: String, // 64 bits do not fit in a Number
  defaults: true,
  oneofs: true,
});

const methods = grpc.loadPackageDefinition(packageDefinition).lightning_grpc.v1.WorkService.service;

/** What a request is that does not make a message. */
export class Garbage {
  constructor(error) {
    this.reason = error.message;
  }
}

/** The service's definition: a request that is garbage reaches the handler, which says so; frames are bytes already. */
export const workService = Object.fromEntries(
  Object.entries(methods).map(([name, method]) => [name, { ...method, requestDeserialize: total(method) }]),
);
workService.StateDelta.responseSerialize = (frame) => frame;

/** Returns the bytes of a StateDeltaResponse. */
export const serializeFrame = (frame) => methods.StateDelta.responseSerialize(frame);

/** Returns what proto-loader takes for an unsigned integer of 64 bits. */
export const uint64 = (value) => protoLoader.Long.fromString(String(value), true);

function total(method) {
  return (bytes) => {
    try {
      return method.requestDeserialize(bytes);
    } catch (error) {
      return new Garbage(error);
    }
  };
}
