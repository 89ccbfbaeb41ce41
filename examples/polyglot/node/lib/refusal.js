// Refusals: canonical status codes with google.rpc.ErrorInfo, for people and for programs.

import grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";

const { root } = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
`);
const Status = root.lookupType("google.rpc.Status");
const MAX_TEXT = 1000; // characters: a message travels twice, in headers
const ErrorInfo = root.lookupType("google.rpc.ErrorInfo");

/** A call that is not answered: why, in a word for programs and in a sentence for people. */
export class Refusal extends Error {
  constructor(code, reason, message, facts = {}) {
    super(message.length > MAX_TEXT ? `${message.slice(0, MAX_TEXT)} ...` : message);
    this.code = code;
    this.reason = reason;
    this.facts = facts;
  }

  /** Returns what grpc-js ends a call with. */
  status() {
    const info = ErrorInfo.encode({ reason: this.reason, domain: "lightning_grpc", metadata: this.facts }).finish();
    const detail = { typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: info };
    const details = Status.encode({ code: this.code, message: this.message, details: [detail] }).finish();
    const metadata = new grpc.Metadata();
    metadata.set("grpc-status-details-bin", Buffer.from(details));
    return { code: this.code, details: this.message, metadata };
  }
}
