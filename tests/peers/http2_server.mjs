// An event stream over HTTP/2 and nothing else: node http2_server.mjs KEY CERTIFICATE
import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";

const [key, cert] = process.argv.slice(2).map((path) => readFileSync(path));
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const event = (payload) => `data: ${JSON.stringify(payload)}\n\n`;
const server = createSecureServer({ key, cert });

server.on("stream", (stream, headers) => {
  stream.resume();
  stream.on("close", () => say({ reset: stream.rstCode }));
  stream.on("end", () => {
    say({ headers: Object.entries(headers), protocol: stream.session.alpnProtocol });
    stream.respond({ ":status": 200, "content-type": "text/event-stream", "x-request-id": "r1" });
    stream.write(event({ type: "response.output_text.delta", delta: "Hi" }));
    if (!headers[":path"].startsWith("/endless")) {
      stream.end(event({ type: "response.completed", response: { id: "resp_1" } }));
    }
  });
});
server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
