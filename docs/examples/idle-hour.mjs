// Two connections that are quiet for an hour, behind a firewall that forgets one of them: Node.js,
// and nothing but its standard library.
//
//     fwemu run --server 'python -m fwemu.scenarios.echo 7' --server-port 7 -- node docs/examples/idle-hour.mjs
//
// (with a python that has fwemu).  Ends with 0 if everything is as it says.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";

/** One request to the control API; its answer, read from JSON. */
function api(method, path, body) {
  return new Promise((resolve, reject) => {
    const options = {
      socketPath: process.env.FWEMU_CONTROL,
      method,
      path,
      headers: { "Content-Type": "application/json" },
    };
    const request = http.request(options, async (response) => {
      response.setEncoding("utf8");
      let text = "";
      for await (const piece of response) text += piece;
      if (response.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`${method} ${path}: ${text}`));
    });
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function connect(options) {
  const socket = net.connect({ host: process.env.FWEMU_SERVER_IP, port: 7, ...options });
  await once(socket, "connect");
  return socket;
}

/** What comes back for a word: the word, or the error. */
async function ask(socket, word) {
  socket.write(word);
  try {
    const [data] = await once(socket, "data");
    return data.toString();
  } catch (error) {
    return error.code;
  }
}

await api("PATCH", "/config", {
  settings: ["timeouts.tcp_established=1h", "unknown.inside=reset"],
});

const careless = await connect({});
const careful = await connect({ keepAlive: true, keepAliveInitialDelay: 15 * 60 * 1000 });
for (const socket of [careless, careful]) assert.equal(await ask(socket, "hello"), "hello");

// This process waits for the end of it, and does nothing else.
const caller = [process.pid, 0];
const hour = await api("POST", "/fast-forward", { by: "1h 5m", caller });
assert.equal(hour.probes.length, 1);
assert.equal(hour.probes[0].sent, 4);
assert.deepEqual(hour.sessions_ended.map((session) => session.reason), ["expired"]);

assert.equal(await ask(careless, "still there?"), "ECONNRESET");
assert.equal(await ask(careful, "still there?"), "still there?");
careful.destroy();

console.log("after a quiet hour: ECONNRESET without keepalive, an answer with it");
