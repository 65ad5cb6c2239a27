// What the page says to the server: the same API that everybody uses.

const headers = () => {
  const key = localStorage.getItem('key');
  return { 'Content-Type': 'application/json', ...(key ? { Authorization: `Bearer ${key}` } : {}) };
};

async function refused(response) {
  let message = `The server answered ${response.status}.`;
  try { message = (await response.json()).error.message ?? message; } catch { /* no JSON: the status says enough */ }
  return new Error(message);
}

/** The models that write text or may do so once they are loaded. */
export async function models() {
  const response = await fetch('/v1/models', { headers: headers() });
  if (!response.ok) throw await refused(response);
  return (await response.json()).data.filter(m => !m.kind || m.kind === 'text');
}

/** The chunks of a streamed answer. */
export async function* chat(request, signal) {
  const response = await fetch('/v1/chat/completions', { method: 'POST', headers: headers(), body: JSON.stringify({ ...request, stream: true, stream_options: { include_usage: true } }), signal });
  if (!response.ok) throw await refused(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = '';
  while (true) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    const lines = held.split('\n');
    held = lines.pop();
    for (const line of lines) {
      if (!line.startsWith('data: ') || line === 'data: [DONE]') continue;
      const chunk = JSON.parse(line.slice(6));
      if (chunk.error) throw new Error(chunk.error.message);
      yield chunk;
    }
  }
}
