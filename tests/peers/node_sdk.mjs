// What the official SDK for JavaScript makes of a server: `node node_sdk.mjs PACKAGES URL`.
// Prints an object of results by name; a call that failed has an `error`.
import { createRequire } from "node:module";

const [packages, baseURL] = process.argv.slice(2);
const require = createRequire(`${packages}/`);
const { OpenAI, toFile } = require("openai");
const { OpenAIRealtimeWS } = require("openai/realtime/ws");
const { zodTextFormat, zodResponsesFunction } = require("openai/helpers/zod");
const { z } = require("zod");

const client = new OpenAI({ apiKey: "unused", baseURL, maxRetries: 1 });
const model = "gpt-5.1";
const results = {};

const weather = {
  type: "function",
  name: "get_weather",
  strict: true,
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};

async function all(pages) {
  const found = [];
  for await (const each of pages) found.push(each);
  return found;
}

async function settled(look) {
  const running = ["queued", "in_progress", "validating", "finalizing"];
  for (;;) {
    const found = await look();
    if (!running.includes(found.status)) return found;
  }
}

const calls = {
  async create() {
    const made = await client.responses.create({ model, input: "hi there" });
    return { text: made.output_text, status: made.status };
  },
  async stream() {
    const events = await all(await client.responses.create({ model, input: "hi there", stream: true }));
    const deltas = events.filter((each) => each.type === "response.output_text.delta");
    return {
      text: deltas.map((each) => each.delta).join(""),
      last: events.at(-1).type,
      numbers: events.every((each, at) => each.sequence_number === at),
    };
  },
  async helper() {
    const stream = client.responses.stream({ model, input: "count to 3" });
    const final = await stream.finalResponse();
    return { text: final.output_text };
  },
  async parse() {
    const format = zodTextFormat(z.object({ mood: z.string(), n: z.number() }), "mood");
    const made = await client.responses.parse({ model, input: "mood=good, n=7", text: { format } });
    return made.output_parsed;
  },
  async tools() {
    const tool = zodResponsesFunction({ name: "get_weather", parameters: z.object({ city: z.string() }) });
    const input = "call get_weather with city=Rome";
    const first = await client.responses.parse({ model, input, tools: [tool] });
    const [call] = first.output;
    const output = [{ type: "function_call_output", call_id: call.call_id, output: "sunny" }];
    const second = await client.responses.create({
      model, input: output, tools: [weather], previous_response_id: first.id,
    });
    return { arguments: call.parsed_arguments, text: second.output_text };
  },
  async hosted() {
    const made = await client.responses.create({
      model, input: 'web_search "growing tomatoes"', tools: [{ type: "web_search" }],
    });
    const [search, message] = made.output;
    return { status: search.status, cited: message.content[0].annotations[0].title };
  },
  async retrieve() {
    const made = await client.responses.create({ model, input: "keep me", metadata: { a: "b" } });
    const found = await client.responses.retrieve(made.id);
    const items = await all(client.responses.inputItems.list(made.id));
    await client.responses.delete(made.id);
    const gone = await client.responses.retrieve(made.id).catch((error) => error.status);
    return { same: found.output_text === made.output_text, metadata: found.metadata, items: items.length, gone };
  },
  async tokens() {
    const counted = await client.responses.inputTokens.count({ model, input: "one two three" });
    return { tokens: counted.input_tokens };
  },
  async conversations() {
    const made = await client.conversations.create({ items: [{ role: "user", content: "I am Ada." }] });
    const answer = await client.responses.create({ model, input: "hello", conversation: made.id });
    const items = await all(client.conversations.items.list(made.id, { order: "asc" }));
    const gone = await client.conversations.delete(made.id);
    return { knows: answer.output_text.includes("I am Ada."), items: items.length, deleted: gone.deleted };
  },
  async files() {
    const made = await client.files.create({
      file: await toFile(Buffer.from("hello"), "a.txt"), purpose: "user_data",
    });
    const content = await (await client.files.content(made.id)).text();
    const gone = await client.files.delete(made.id);
    return { content, bytes: made.bytes, deleted: gone.deleted };
  },
  async batches() {
    const line = JSON.stringify({
      custom_id: "1", method: "POST", url: "/v1/responses", body: { model, input: "hi" },
    });
    const file = await client.files.create({
      file: await toFile(Buffer.from(`${line}\n`), "in.jsonl"), purpose: "batch",
    });
    const made = await client.batches.create({
      input_file_id: file.id, endpoint: "/v1/responses", completion_window: "24h",
    });
    const done = await settled(() => client.batches.retrieve(made.id));
    const output = await (await client.files.content(done.output_file_id)).text();
    return { status: done.status, code: JSON.parse(output).response.status_code };
  },
  async images() {
    const drawn = await client.images.generate({ model: "gpt-image-2", prompt: "a cat", size: "40x20" });
    const image = await toFile(Buffer.from(drawn.data[0].b64_json, "base64"), "a.png", { type: "image/png" });
    const edited = await client.images.edit({ model: "gpt-image-2", image, prompt: "bluer" });
    const events = await all(await client.images.edit({
      model: "gpt-image-2", image, prompt: "bluer", stream: true, partial_images: 1,
    }));
    return { size: edited.size, events: events.map((each) => each.type) };
  },
  async compact() {
    const made = await client.responses.create({ model, input: "I am Ada." });
    const compacted = await client.responses.compact({ model, previous_response_id: made.id });
    const again = await client.responses.create({
      model, input: [...compacted.output, { role: "user", content: "hello" }],
    });
    return {
      items: compacted.output.map((each) => each.type),
      remembers: again.output_text.includes("I remember"),
    };
  },
  async background() {
    const begun = await client.responses.create({ model, input: "hi", background: true });
    const done = await settled(() => client.responses.retrieve(begun.id));
    const rest = await all(await client.responses.retrieve(begun.id, { stream: true, starting_after: 2 }));
    return { begun: begun.status, done: done.status, first: rest[0].sequence_number };
  },
  async realtime() {
    const socket = new OpenAIRealtimeWS({ model: "gpt-realtime" }, client);
    const item = { type: "message", role: "user", content: [{ type: "input_text", text: "hello there" }] };
    return await new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("session.created", () => {
        socket.send({ type: "session.update", session: { type: "realtime", output_modalities: ["text"] } });
        socket.send({ type: "conversation.item.create", item });
        socket.send({ type: "response.create" });
      });
      socket.on("response.done", (event) => {
        socket.close();
        resolve({ text: event.response.output[0].content[0].text });
      });
    });
  },
  async chat() {
    const made = await client.chat.completions.create({
      model, messages: [{ role: "user", content: "hi there" }],
    });
    const chunks = await all(await client.chat.completions.create({
      model, messages: [{ role: "user", content: "hi there" }], stream: true,
    }));
    const streamed = chunks.map((each) => each.choices[0]?.delta.content ?? "").join("");
    return { text: made.choices[0].message.content, streamed };
  },
};

for (const [name, call] of Object.entries(calls)) {
  try {
    results[name] = await call();
  } catch (error) {
    results[name] = { error: String(error) };
  }
}
console.log(JSON.stringify(results));
