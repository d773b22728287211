// An HTTP server and client of Node: `node agent.js server HOST PORT KEEP_ALIVE_MS`, or `client HOST PORT`.
// What a client says is described in python_programs.py.
"use strict";

const http = require("http");
const readline = require("readline");

const [what, host, port, keepAlive] = process.argv.slice(2);

if (what === "server") {
  const server = http.createServer((request, response) => {
    // The header Keep-Alive knows whole seconds; an agent that reads 0 hangs up by itself.  With a
    // Connection of one's own there is none.
    if (keepAlive < 1000) response.setHeader("Connection", "keep-alive");
    response.end("here");
  });
  server.keepAliveTimeout = Number(keepAlive);
  server.listen(Number(port), host);
} else {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (then) => {
    const request = http.get({ host, port, agent }, (response) => {
      response.resume();
      response.on("end", () => then("answered"));
    });
    request.on("error", (error) => then(`${error.name}: ${error.code} ${error.message}`));
  };
  ask(() => {
    console.log("ready");
    readline.createInterface({ input: process.stdin }).on("line", () => ask(console.log));
  });
}
