#!/usr/bin/env node
// Serves one Work: node serve.js FILE:CLASS --bind ADDRESS

import path from "node:path";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { Server, serverCredentials } from "./lib/server.js";

const USAGE = `usage: node serve.js FILE:CLASS [--bind 127.0.0.1:50061 | unix:PATH] [--name NAME] [--token-file FILE]
                     [--tls-cert FILE --tls-key FILE [--tls-client-ca FILE]] [--json]`;
const SIGNAL_GRACE_S = 10;
const LOOPBACK = /^(unix:|localhost:|127(\.\d{1,3}){3}:|\[::1\]:)/;

async function main() {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      bind: { type: "string", default: "127.0.0.1:50061" },
      name: { type: "string" },
      "token-file": { type: "string" },
      "tls-cert": { type: "string" },
      "tls-key": { type: "string" },
      "tls-client-ca": { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (options.help) {
    console.log(USAGE);
    return;
  }
  const [file, className] = (positionals[0] ?? "").split(":");
  if (!file || !className || positionals.length > 1) throw new Error(USAGE);
  const token = options["token-file"] ? readFileSync(options["token-file"], "utf8").trim() : "";
  if (!LOOPBACK.test(options.bind) && !(token && options["tls-cert"])) {
    throw new Error(`${options.bind} is not on loopback: give --tls-cert, --tls-key and --token-file, or bind 127.0.0.1`);
  }
  const { [className]: WorkClass } = await import(pathToFileURL(path.resolve(file)));
  if (WorkClass === undefined) throw new Error(`${file} exports no ${className}`);

  const name = options.name ?? className.toLowerCase();
  const server = new Server(new WorkClass(), { name, token });
  const credentials = serverCredentials({
    certificate: options["tls-cert"],
    key: options["tls-key"],
    clientCa: options["tls-client-ca"],
  });
  const address = await server.start(options.bind, credentials);
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.once(signal, () => void server.end(SIGNAL_GRACE_S, `the server was ended by ${signal}`));
  }
  const work = { name, class: className, epoch: server.state.epoch };
  const line = { address, works: [work], pid: process.pid, name, epoch: work.epoch };
  console.log(options.json ? toJson(line) : `${name} (${className}) is served at ${address}`);
}

// An epoch is a whole number of more than 53 bits.
function toJson(line) {
  return JSON.stringify(line, (_key, value) => (typeof value === "bigint" ? `<int>${value}` : value)).replace(
    /"<int>(\d+)"/g,
    "$1",
  );
}

main().catch((error) => {
  console.error(`error: ${error.message}`);
  process.exit(2);
});
