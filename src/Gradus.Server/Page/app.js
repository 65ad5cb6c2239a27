// The chat page: conversations at the left, the shown path of one in the middle.
import * as api from '/page/api.js';
import * as settings from '/page/settings.js';
import * as store from '/page/store.js';
import { LiveAnswer, element, message } from '/page/view.js';

const $ = id => document.getElementById(id);
const thread = $('thread'), input = $('input'), send = $('send'), longestAttachment = 1 << 20;
let conversations = [], current = store.create(), models = [], running = null;

function notice(text) {
  $('notice').textContent = text;
  $('notice').hidden = !text;
}

async function loadModels() {
  try {
    models = await api.models();
    const chosen = localStorage.getItem('model');
    $('model').replaceChildren(...models.map(m => element('option', { value: m.id, textContent: m.parent ? `${m.id} (on ${m.parent})` : m.id, selected: m.id === chosen })));
    notice('');
  } catch (error) {
    notice(error.message);
  }
}

function drawList() {
  const wanted = $('search').value.toLowerCase();
  const found = conversations.filter(c => !wanted || c.title.toLowerCase().includes(wanted) || Object.values(c.nodes).some(n => n.content.toLowerCase().includes(wanted)));
  $('list').replaceChildren(...found.sort((a, b) => b.changed - a.changed).map(c => {
    const remove = element('button', { type: 'button', className: 'icon', textContent: '✕', ariaLabel: `Delete ${c.title}`, onclick: () => forget(c) });
    return element('div', { className: c.id === current.id ? 'current' : '' }, element('button', { type: 'button', className: 'title', textContent: c.title, title: c.title, onclick: () => choose(c) }), remove);
  }));
}

function draw() {
  const path = store.path(current);
  const fragment = document.createDocumentFragment();
  for (const node of path) fragment.append(message(current, node, actions));
  thread.replaceChildren(path.length ? fragment : element('p', { className: 'empty', textContent: 'Ask something.' }));
  thread.scrollTop = thread.scrollHeight;
  const last = path.findLast(n => n.total);
  const context = models.find(m => m.id === $('model').value)?.max_model_len;
  $('meter').textContent = last ? `${last.total}${context ? ` of ${context}` : ''} tokens` : context ? `${context} tokens of context` : '';
}

function choose(conversation) {
  running?.abort();
  current = conversation;
  $('side').classList.remove('open');
  drawList();
  draw();
}

async function forget(conversation) {
  if (!confirm(`Delete "${conversation.title}"?`)) return;
  await store.remove(conversation.id);
  conversations = conversations.filter(c => c !== conversation);
  if (current === conversation) choose(store.create());
  else drawList();
}

async function save() {
  if (!conversations.includes(current)) conversations.push(current);
  drawList();
  await store.put(current);
}

// The messages before an answer, as the server takes them.
function history(parent) {
  const before = [];
  for (let id = parent; id; id = current.nodes[id].parent) before.push({ role: current.nodes[id].role, content: current.nodes[id].content });
  if (settings.system()) before.push({ role: 'system', content: settings.system() });
  return before.reverse();
}

async function answer(parent, { seed = null, prefix = '' } = {}) {
  running?.abort();
  const stop = running = new AbortController(), conversation = current;
  const node = store.add(conversation, parent, { role: 'assistant', content: prefix, reasoning: '', model: $('model').value, tokens: [] });
  draw();
  send.textContent = 'Stop';
  notice('');
  const live = new LiveAnswer(node, thread.lastElementChild, thread), begun = performance.now();
  const request = { ...settings.request(), model: node.model, messages: history(parent) };
  if (seed !== null) request.seed = seed;
  if (prefix) Object.assign(request, { messages: [...request.messages, { role: 'assistant', content: prefix }], continue_final_message: true });
  try {
    for await (const chunk of api.chat(request, stop.signal)) {
      take(node, chunk);
      live.changed();
    }
  } catch (error) {
    if (error.name === 'AbortError') node.stopped = true;
    else node.error = error.message;
  }
  live.end();
  node.seconds = (performance.now() - begun) / 1000;
  if (running === stop) {
    running = null;
    send.textContent = 'Send';
  }
  if (current === conversation) {
    await save();
    draw();
  } else {
    await store.put(conversation);
  }
}

function take(node, chunk) {
  if (chunk.seed !== undefined) node.seed = chunk.seed;
  if (chunk.usage) [node.generated, node.total] = [chunk.usage.completion_tokens, chunk.usage.total_tokens];
  const choice = chunk.choices[0];
  if (!choice) return;
  node.content += choice.delta.content ?? '';
  node.reasoning += choice.delta.reasoning_content ?? '';
  for (const t of choice.logprobs?.content ?? []) node.tokens.push({ text: t.token, p: t.logprob, top: t.top_logprobs.map(o => ({ text: o.token, p: o.logprob })) });
  if (choice.finish_reason) node.finish = choice.finish_reason;
}

const actions = {
  refresh: draw,
  show(id) { store.show(current, id); save(); draw(); },
  edit(node, text) { store.add(current, node.parent, { role: 'user', content: text }); answer(current.leaf); },
  again: (node, seed) => answer(node.parent, { seed }),
  fork: (node, prefix) => answer(node.parent, { prefix, seed: node.seed ?? null }),
};

$('compose').addEventListener('submit', event => {
  event.preventDefault();
  if (running) { running.abort(); return; }
  const text = input.value.trim();
  if (!text || !$('model').value) return;
  if (!current.roots.length) current.title = text.slice(0, 60);
  store.add(current, current.leaf, { role: 'user', content: text });
  input.value = '';
  grow();
  save();
  answer(current.leaf);
});

function grow() {
  input.style.height = 'auto';
  input.style.height = `${input.scrollHeight + 2}px`;
}

input.addEventListener('input', grow);
input.addEventListener('keydown', event => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); $('compose').requestSubmit(); }
});
document.addEventListener('keydown', event => {
  if (event.key === 'Escape') { document.getElementById('alternatives')?.remove(); running?.abort(); }
  if ((event.ctrlKey || event.metaKey) && event.shiftKey && event.key.toLowerCase() === 'o') { event.preventDefault(); choose(store.create()); input.focus(); }
});
$('new').addEventListener('click', () => { choose(store.create()); input.focus(); });
$('search').addEventListener('input', drawList);
$('openside').addEventListener('click', () => $('side').classList.add('open'));
$('closeside').addEventListener('click', () => $('side').classList.remove('open'));
$('model').addEventListener('change', () => { localStorage.setItem('model', $('model').value); draw(); });
$('settings').addEventListener('click', () => {
  $('panel').hidden = !$('panel').hidden;
  $('settings').ariaExpanded = String(!$('panel').hidden);
});
$('export').addEventListener('click', () => {
  const url = URL.createObjectURL(new Blob([JSON.stringify({ format: 'gradus-conversations', version: 1, conversations }, null, 1)], { type: 'application/json' }));
  element('a', { href: url, download: 'conversations.json' }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
});
$('import').addEventListener('click', () => $('file').click());
$('file').addEventListener('change', async () => {
  try {
    const read = store.check(JSON.parse(await $('file').files[0].text()));
    for (const conversation of read) {
      conversations = conversations.filter(c => c.id !== conversation.id);
      conversations.push(conversation);
      await store.put(conversation);
    }
    if (read.length) choose(read[0]);
    notice('');
  } catch (error) {
    notice(`Nothing was imported: ${error.message}`);
  }
  $('file').value = '';
});
$('attach').addEventListener('click', () => $('textfile').click());
$('textfile').addEventListener('change', async () => {
  const file = $('textfile').files[0];
  if (file.size > longestAttachment) notice(`${file.name} is larger than 1 MiB.`);
  else input.value += `${input.value ? '\n\n' : ''}${file.name}:\n\n${await file.text()}\n`;
  $('textfile').value = '';
  grow();
  input.focus();
});

settings.show($('panel'), name => { if (name === 'key') loadModels(); });
conversations = await store.all();
await loadModels();
choose(conversations.sort((a, b) => b.changed - a.changed)[0] ?? current);
