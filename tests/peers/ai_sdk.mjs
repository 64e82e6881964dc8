// What the AI SDK makes of a server: `node ai_sdk.mjs PACKAGES URL`.
// Prints an object of results by name; a call that failed has an `error`.
import { createRequire } from "node:module";

const [packages, baseURL] = process.argv.slice(2);
const require = createRequire(`${packages}/`);
const { generateObject, generateText, stepCountIs, streamText, tool } = require("ai");
const { createOpenAI } = require("@ai-sdk/openai");
const { z } = require("zod");

const openai = createOpenAI({ apiKey: "unused", baseURL });
const model = openai("gpt-5.1");
const weather = tool({
  description: "Tells the weather.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
});

const calls = {
  async text() {
    const made = await generateText({ model, prompt: "hi there" });
    return { text: made.text, reason: made.finishReason, tokens: made.usage.outputTokens > 0 };
  },
  async stream() {
    const made = streamText({ model, prompt: "count to 4" });
    const parts = [];
    for await (const part of made.textStream) parts.push(part);
    return { text: parts.join(""), pieces: parts.length };
  },
  async reasoning() {
    const providerOptions = { openai: { reasoningEffort: "high", reasoningSummary: "detailed" } };
    const made = await generateText({ model, prompt: "hi", providerOptions });
    return { told: made.reasoningText.includes("Reading the request") };
  },
  async tools() {
    const made = await generateText({
      model, prompt: "call weather with city=Rome", tools: { weather }, stopWhen: stepCountIs(4),
    });
    return { steps: made.steps.length, text: made.text };
  },
  async streamedTools() {
    const made = streamText({
      model, prompt: "call weather with city=Rome", tools: { weather }, stopWhen: stepCountIs(4),
    });
    const kinds = new Set();
    for await (const part of made.fullStream) kinds.add(part.type);
    return { called: kinds.has("tool-call") && kinds.has("tool-result"), text: await made.text };
  },
  async object() {
    const schema = z.object({ mood: z.string(), n: z.number() });
    const made = await generateObject({ model, schema, prompt: "mood=good, n=7" });
    return made.object;
  },
  async search() {
    const made = await generateText({
      model, prompt: 'web_search "growing tomatoes"', tools: { web_search: openai.tools.webSearch({}) },
    });
    return { sources: made.sources.map((each) => each.url), text: made.text.startsWith("I searched") };
  },
  async chat() {
    const made = await generateText({
      model: openai.chat("gpt-5.1"), prompt: "call weather with city=Rome", tools: { weather },
      stopWhen: stepCountIs(4),
    });
    return { steps: made.steps.length, text: made.text };
  },
};

const results = {};
for (const [name, call] of Object.entries(calls)) {
  try {
    results[name] = await call();
  } catch (error) {
    results[name] = { error: String(error) };
  }
}
console.log(JSON.stringify(results));
