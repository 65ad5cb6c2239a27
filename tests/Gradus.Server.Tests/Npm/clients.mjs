// The clients of npm, unmodified, against a server: node clients.mjs http://localhost:PORT MODEL
// Each line of output is a client that did all it was asked to; the first failure ends the program.
import assert from 'node:assert/strict';

const [, , base, model] = process.argv;
const parameters = { type: 'object', properties: { city: { type: 'string', maxLength: 8 } }, required: ['city'], additionalProperties: false };
const messages = [{ role: 'user', content: 'the cat' }];

const clients = {
  async openai() {
    const { default: OpenAI, NotFoundError } = await import('openai');
    const client = new OpenAI({ apiKey: 'none', baseURL: `${base}/v1`, maxRetries: 0 });
    const asked = { model, messages, max_tokens: 12, temperature: 0 };
    const whole = await client.chat.completions.create(asked);
    let streamed = '', usage = null;
    for await (const chunk of await client.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } })) {
      streamed += chunk.choices[0]?.delta.content ?? '';
      usage ??= chunk.usage;
    }
    assert.equal(streamed, whole.choices[0].message.content);
    assert.equal(usage.completion_tokens, 12);
    const call = await client.chat.completions.create({ model, messages, max_tokens: 300, seed: 1, tool_choice: 'required', parallel_tool_calls: false, tools: [{ type: 'function', function: { name: 'weather', parameters, strict: true } }] });
    assert.equal(typeof JSON.parse(call.choices[0].message.tool_calls[0].function.arguments).city, 'string');
    const person = await client.chat.completions.create({ model, messages, max_tokens: 300, response_format: { type: 'json_schema', json_schema: { name: 'place', strict: true, schema: parameters } } });
    assert.equal(typeof JSON.parse(person.choices[0].message.content).city, 'string');
    const vectors = await client.embeddings.create({ model, input: ['the cat', 'the dog'] });
    assert.equal(vectors.data.length, 2);
    assert.ok(vectors.data[0].embedding.length > 8 && vectors.data[0].embedding.every(Number.isFinite));
    const response = await client.responses.create({ model, input: 'the cat', max_output_tokens: 12, temperature: 0 });
    assert.ok(response.output_text.length > 0);
    await assert.rejects(client.chat.completions.create({ ...asked, model: 'nothing' }), NotFoundError);
  },

  async ai() {
    const { generateText, streamText, tool, jsonSchema, stepCountIs } = await import('ai');
    const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
    const chat = createOpenAICompatible({ name: 'gradus', baseURL: `${base}/v1` })(model);
    const whole = await generateText({ model: chat, prompt: 'the cat', maxOutputTokens: 12, temperature: 0 });
    const stream = streamText({ model: chat, prompt: 'the cat', maxOutputTokens: 12, temperature: 0 });
    let streamed = '';
    for await (const part of stream.textStream) streamed += part;
    assert.equal(streamed, whole.text);
    let called = 0;
    await generateText({
      model: chat, prompt: 'weather?', maxOutputTokens: 300, seed: 1, toolChoice: 'required', stopWhen: stepCountIs(2),
      tools: { weather: tool({ description: 'Weather', inputSchema: jsonSchema(parameters), execute: async ({ city }) => { called++; return `sunny in ${city}`; } }) },
    });
    assert.ok(called >= 1);
  },

  async langchain() {
    const { ChatOpenAI, OpenAIEmbeddings } = await import('@langchain/openai');
    const configuration = { baseURL: `${base}/v1` };
    const chat = new ChatOpenAI({ model, apiKey: 'none', maxTokens: 12, temperature: 0, maxRetries: 0, configuration });
    const whole = await chat.invoke('the cat');
    let streamed = '';
    for await (const chunk of await chat.stream('the cat')) streamed += chunk.content;
    assert.equal(streamed, whole.content);
    const vectors = await new OpenAIEmbeddings({ model, apiKey: 'none', configuration }).embedDocuments(['the cat', 'the dog']);
    assert.equal(vectors.length, 2);
  },

  async ollama() {
    const { Ollama } = await import('ollama');
    const client = new Ollama({ host: base }), options = { num_predict: 12, temperature: 0 };
    const whole = await client.chat({ model, messages, options });
    let streamed = '';
    for await (const part of await client.chat({ model, messages, options, stream: true })) streamed += part.message.content;
    assert.equal(streamed, whole.message.content);
    assert.equal((await client.embed({ model, input: ['the cat', 'the dog'] })).embeddings.length, 2);
    assert.ok((await client.list()).models.some(m => m.name === model));
    await assert.rejects(client.chat({ model: 'nothing', messages }));
  },

  async anthropic() {
    const { default: Anthropic } = await import('@anthropic-ai/sdk');
    const client = new Anthropic({ apiKey: 'none', baseURL: base, maxRetries: 0 });
    const whole = await client.messages.create({ model, max_tokens: 12, temperature: 0, messages });
    const streamed = await client.messages.stream({ model, max_tokens: 12, temperature: 0, messages }).finalMessage();
    assert.deepEqual(streamed.content.map(c => c.text), whole.content.map(c => c.text));
    const call = await client.messages.stream({ model, max_tokens: 300, messages, tool_choice: { type: 'any' }, tools: [{ name: 'weather', input_schema: parameters }] }).finalMessage();
    assert.equal(call.stop_reason, 'tool_use');
    assert.equal(typeof call.content.find(c => c.type === 'tool_use').input.city, 'string');
    assert.ok((await client.messages.countTokens({ model, messages })).input_tokens > 0);
    await assert.rejects(client.messages.create({ model: 'nothing', max_tokens: 1, messages }));
  },
};

for (const [name, use] of Object.entries(clients)) {
  try {
    await use();
    console.log(`${name}: ok`);
  } catch (error) {
    console.error(`${name}: ${error.stack}`);
    process.exit(1);
  }
}
