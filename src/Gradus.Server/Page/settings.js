// How answers are asked for: kept in the browser, sent with every request.
import { element } from '/page/view.js';

const fields = [
  ['system', 'System prompt', 'textarea', ''],
  ['temperature', 'Temperature (0: always the likeliest)', 'number', 1, { min: 0, max: 10, step: .1 }],
  ['top_p', 'Top-p', 'number', 1, { min: 0, max: 1, step: .05 }],
  ['top_k', 'Top-k (0: all)', 'number', 0, { min: 0, step: 1 }],
  ['min_p', 'Min-p', 'number', 0, { min: 0, max: 1, step: .01 }],
  ['repetition_penalty', 'Repetition penalty', 'number', 1, { min: .1, max: 10, step: .05 }],
  ['max_tokens', 'Longest answer, tokens (empty: context)', 'number', '', { min: 1, step: 1 }],
  ['seed', 'Seed (empty: another each time)', 'number', '', { min: 0, step: 1 }],
  ['stop', 'Stop texts, one a line', 'textarea', ''],
  ['probabilities', 'Keep token probabilities', 'checkbox', true],
  ['theme', 'Colours', 'select', 'system', ['system', 'light', 'dark']],
  ['key', 'API key', 'password', ''],
];

const values = Object.assign(Object.fromEntries(fields.map(([name, , , standard]) => [name, standard])), JSON.parse(localStorage.getItem('settings') ?? '{}'));
values.key = localStorage.getItem('key') ?? '';

const dress = () => { document.documentElement.className = values.theme === 'system' ? '' : values.theme; };

/** Fills the panel. */
export function show(panel, changed) {
  dress();
  for (const [name, text, kind, , more] of fields) {
    const input = kind === 'select' ? element('select', {}, ...more.map(o => element('option', { value: o, textContent: o }))) : element(kind === 'textarea' ? 'textarea' : 'input', kind === 'textarea' ? { rows: 2 } : { type: kind, ...more });
    if (kind === 'checkbox') input.checked = values[name];
    else input.value = values[name];
    input.autocomplete = 'off';
    input.addEventListener('change', () => {
      values[name] = kind === 'checkbox' ? input.checked : kind === 'number' ? (input.value === '' ? '' : Number(input.value)) : input.value;
      const { key, ...kept } = values;
      localStorage.setItem('settings', JSON.stringify(kept));
      localStorage.setItem('key', key);
      dress();
      changed(name);
    });
    panel.append(element('label', { className: kind === 'textarea' ? 'wide' : kind === 'checkbox' ? 'check' : '' }, ...(kind === 'checkbox' ? [input, text] : [text, input])));
  }
}

/** The fields of a request. */
export function request() {
  const asked = {};
  for (const name of ['temperature', 'top_p', 'top_k', 'min_p', 'repetition_penalty', 'max_tokens', 'seed']) {
    if (values[name] !== '') asked[name] = values[name];
  }
  const stops = values.stop.split('\n').filter(s => s !== '');
  if (stops.length) asked.stop = stops;
  if (values.probabilities) Object.assign(asked, { logprobs: true, top_logprobs: 5 });
  return asked;
}

/** The system prompt; empty for none. */
export const system = () => values.system.trim();
