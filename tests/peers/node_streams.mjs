// What the official SDK for JavaScript is sent by a server: `node node_streams.mjs PACKAGES URL`.
// Prints the events of a stream, and a response that came whole.
import { createRequire } from "node:module";

const [packages, baseURL] = process.argv.slice(2);
const { OpenAI } = createRequire(`${packages}/`)("openai");

const client = new OpenAI({ apiKey: "unused", baseURL, maxRetries: 0 });
const model = "gpt-5.1";

const events = [];
for await (const event of await client.responses.create({ model, input: "say hello", stream: true })) {
  events.push(event);
}
const whole = await client.responses.create({ model, input: "say bye" });
console.log(JSON.stringify({ events, whole }));
