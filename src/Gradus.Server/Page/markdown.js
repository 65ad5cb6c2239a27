// Markdown as a fragment of safe elements. What an answer holds is text: it goes through marked, then DOMPurify, which keeps formatting and drops
// everything that could run, load or submit; the page's content security policy is the second wall.
import { Marked } from '/page/vendor/marked.js';
import DOMPurify from '/page/vendor/purify.js';
import highlighter from '/page/vendor/highlight.js';

const marked = new Marked({ gfm: true, breaks: false });
const longestHighlighted = 20000;
const rules = {
  ALLOWED_TAGS: ['p', 'br', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'strong', 'em', 'del', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'a', 'span', 'input', 'sup', 'sub', 'kbd', 'details', 'summary'],
  ALLOWED_ATTR: ['href', 'title', 'class', 'align', 'start', 'type', 'checked', 'disabled', 'open'],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  RETURN_DOM_FRAGMENT: true,
};

/** The elements of a Markdown text. */
export function render(text) {
  const fragment = DOMPurify.sanitize(marked.parse(text), rules);
  for (const link of fragment.querySelectorAll('a')) {
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
  }
  for (const box of fragment.querySelectorAll('input')) {
    if (box.type !== 'checkbox') box.remove();
    else box.disabled = true;
  }
  for (const code of fragment.querySelectorAll('pre > code')) dress(code);
  return fragment;
}

/** The parts of a text that are done while the rest is still written: blocks that a blank line ends, outside of fenced code. */
export function settledLength(text) {
  let fence = null, settled = 0, at = 0;
  for (const line of text.split(/(?<=\n)/)) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark && !fence) fence = mark;
    else if (mark && fence && mark[0] === fence[0] && mark.length >= fence.length) fence = null;
    at += line.length;
    // A list or quote may go on behind a blank line.
    if (!fence && line.trim() === '' && !/^(\s|[-*+>|]|\d+[.)])/.test(text.slice(at, at + 3)) && at < text.length) settled = at;
  }
  return settled;
}

function dress(code) {
  const language = /language-([\w+#-]+)/.exec(code.className)?.[1];
  if (language && highlighter.getLanguage(language) && code.textContent.length < longestHighlighted) {
    const dressed = DOMPurify.sanitize(highlighter.highlight(code.textContent, { language, ignoreIllegals: true }).value, { ALLOWED_TAGS: ['span'], ALLOWED_ATTR: ['class'], RETURN_DOM_FRAGMENT: true });
    code.replaceChildren(dressed);
  }
  const copy = document.createElement('button');
  copy.className = 'copycode';
  copy.type = 'button';
  copy.textContent = 'Copy';
  copy.addEventListener('click', async () => {
    await navigator.clipboard.writeText(code.textContent);
    copy.textContent = 'Copied';
    setTimeout(() => { copy.textContent = 'Copy'; }, 1200);
  });
  code.parentElement.append(copy);
}
