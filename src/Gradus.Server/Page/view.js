// How the shown path of a conversation looks. Messages off the screen cost nothing to lay out (content-visibility); of an answer that is being written
// only the part behind its last finished block is parsed again, once a frame.
import { render, settledLength } from '/page/markdown.js';
import { siblings } from '/page/store.js';

export const element = (tag, fields = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), fields);
  made.append(...children);
  return made;
};

// Markdown is parsed when a message comes near the screen: until then its text stands there as it is.
const near = new IntersectionObserver(entries => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) parse(target);
}, { rootMargin: '1000px' });
const unparsed = new WeakMap();

function parse(made) {
  near.unobserve(made);
  const text = unparsed.get(made);
  if (text === undefined) return;
  unparsed.delete(made);
  made.querySelector('.body').replaceChildren(render(text));
}

const button = (text, label, action) => element('button', { type: 'button', textContent: text, title: label, ariaLabel: label, onclick: action });

/** The element of a message. */
export function message(conversation, node, actions) {
  const body = element('div', { className: 'body' });
  body.textContent = node.content;
  const made = element('article', { className: `message ${node.role}`, ariaLabel: node.role === 'user' ? 'You' : 'Model' }, ...(node.reasoning ? [thinking(node.reasoning, false)] : []), body);
  made.dataset.id = node.id;
  if (node.error) made.append(element('p', { className: 'failed', textContent: node.error }));
  made.append(tools(conversation, node, made, actions));
  if (node.role !== 'user' && node.content) {
    unparsed.set(made, node.content);
    near.observe(made);
  }
  return made;
}

function thinking(text, open) {
  return element('details', { className: 'think', open }, element('summary', { textContent: 'Reasoning' }), element('div', { textContent: text }));
}

function tools(conversation, node, made, actions) {
  const row = element('div', { className: 'tools' });
  const branch = siblings(conversation, node), at = branch.indexOf(node.id);
  if (branch.length > 1) {
    const previous = button('‹', 'Previous version', () => actions.show(branch[at - 1])), next = button('›', 'Next version', () => actions.show(branch[at + 1]));
    previous.disabled = at === 0;
    next.disabled = at === branch.length - 1;
    row.append(previous, element('span', { textContent: `${at + 1} / ${branch.length}` }), next);
  }
  row.append(button('Copy', 'Copy the text', () => navigator.clipboard.writeText(node.content)));
  if (node.role === 'user') {
    row.append(button('Edit', 'Write another version', () => edit(node, made, actions)));
    return row;
  }
  row.append(button('Again', 'Write another answer', () => actions.again(node, null)));
  if (node.seed !== undefined) row.append(button('Replay', `Write the same answer again, with seed ${node.seed}`, () => actions.again(node, node.seed)));
  if (node.tokens?.length) row.append(button('Tokens', 'Show how probable each token was', () => toggleTokens(node, made, actions)));
  row.append(element('span', { className: 'facts', textContent: facts(node) }));
  return row;
}

function facts(node) {
  const said = [node.model];
  if (node.generated) said.push(`${node.generated} tokens`);
  if (node.generated && node.seconds > 0) said.push(`${(node.generated / node.seconds).toFixed(1)} per second`);
  if (node.seed !== undefined) said.push(`seed ${node.seed}`);
  if (node.finish === 'length') said.push('cut off by the limit');
  if (node.stopped) said.push('stopped');
  return said.filter(Boolean).join(' · ');
}

function edit(node, made, actions) {
  const text = element('textarea', { className: 'edit', value: node.content, ariaLabel: 'Another version of the message' });
  const save = button('Send', 'Send this version', () => actions.edit(node, text.value)), cancel = button('Cancel', 'Leave it as it is', () => actions.refresh());
  made.querySelector('.body').replaceChildren(text);
  made.querySelector('.tools').replaceChildren(save, cancel);
  text.focus();
}

function toggleTokens(node, made, actions) {
  parse(made);
  const body = made.querySelector('.body');
  if (body.classList.toggle('tokens')) body.replaceChildren(...node.tokens.map((t, i) => token(node, t, i, actions)));
  else body.replaceChildren(render(node.content));
}

const shown = text => text === '' ? '∅' : text;

function token(node, t, at, actions) {
  const p = Math.exp(t.p), made = button(t.text, `${(100 * p).toFixed(1)} %`, () => alternatives(made, node, t, at, actions));
  made.className = `token p${p > .9 ? 0 : p > .6 ? 1 : p > .3 ? 2 : p > .1 ? 3 : 4}`;
  made.addEventListener('pointerenter', e => { if (e.pointerType === 'mouse') alternatives(made, node, t, at, actions); });
  return made;
}

// What might have stood there; a click begins a branch with it.
function alternatives(near, node, t, at, actions) {
  document.getElementById('alternatives')?.remove();
  const box = element('div', { id: 'alternatives', role: 'dialog', ariaLabel: 'Other tokens' }, element('p', { textContent: 'Go on with' }));
  for (const other of t.top) {
    const choice = element('button', { type: 'button' }, element('span', { textContent: shown(JSON.stringify(other.text).slice(1, -1)) }), element('span', { textContent: `${(100 * Math.exp(other.p)).toFixed(1)} %` }));
    choice.onclick = () => { box.remove(); actions.fork(node, node.tokens.slice(0, at).map(k => k.text).join('') + other.text); };
    box.append(choice);
  }
  document.body.append(box);
  const place = near.getBoundingClientRect();
  box.style.left = `${Math.max(8, Math.min(place.left, innerWidth - box.offsetWidth - 8))}px`;
  box.style.top = `${place.bottom + box.offsetHeight + 8 < innerHeight ? place.bottom + 2 : Math.max(8, place.top - box.offsetHeight - 2)}px`;
  box.addEventListener('pointerleave', () => box.remove());
}

/** Writes an answer while it comes. */
export class LiveAnswer {
  #node; #made; #body; #scroll; #settled = 0; #open = element('div'); #frame = 0; #think = null;

  constructor(node, made, scroll) {
    [this.#node, this.#made, this.#scroll] = [node, made, scroll];
    this.#body = made.querySelector('.body');
    unparsed.delete(made);
    this.#body.replaceChildren(this.#open);
    if (node.content) this.changed();
  }

  /** The text has grown: it is drawn with the next frame. */
  changed() {
    this.#frame ||= requestAnimationFrame(() => { this.#frame = 0; this.#draw(); });
  }

  end() {
    cancelAnimationFrame(this.#frame);
  }

  #draw() {
    const follow = this.#scroll.scrollHeight - this.#scroll.scrollTop - this.#scroll.clientHeight < 80;
    if (this.#node.reasoning) {
      if (!this.#think) this.#body.before(this.#think = thinking('', true));
      this.#think.lastChild.textContent = this.#node.reasoning;
      if (this.#node.content) this.#think.open = false;
    }
    const rest = this.#node.content.slice(this.#settled), done = settledLength(rest);
    if (done > 0) {
      this.#open.before(render(rest.slice(0, done)));
      this.#settled += done;
    }
    this.#open.replaceChildren(render(rest.slice(done)));
    if (follow) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }
}
