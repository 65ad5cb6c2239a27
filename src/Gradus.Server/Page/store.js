// Conversations in the browser's own database: each is a tree of messages, of which one path is shown.

const name = 'gradus', table = 'conversations';

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(table, { keyPath: 'id' });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function act(mode, work) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(table, mode);
      const request = work(transaction.objectStore(table));
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

export const all = () => act('readonly', s => s.getAll());
export const put = conversation => act('readwrite', s => s.put(conversation));
export const remove = id => act('readwrite', s => s.delete(id));

/** A new conversation without messages. */
export const create = () => ({ id: crypto.randomUUID(), title: 'New chat', changed: Date.now(), nodes: {}, roots: [], leaf: null });

/** Adds a message behind another (null: at the beginning), and shows the path to it. */
export function add(conversation, parent, fields) {
  const node = { id: crypto.randomUUID(), parent, children: [], created: Date.now(), ...fields };
  conversation.nodes[node.id] = node;
  siblings(conversation, node).push(node.id);
  conversation.leaf = node.id;
  conversation.changed = Date.now();
  return node;
}

/** The ids of a message and of those that stand in its place on other branches. */
export const siblings = (conversation, node) => node.parent ? conversation.nodes[node.parent].children : conversation.roots;

/** The messages from the first to the shown one. */
export function path(conversation) {
  const shown = [];
  for (let id = conversation.leaf; id; id = conversation.nodes[id].parent) shown.push(conversation.nodes[id]);
  return shown.reverse();
}

/** Shows the branch of a message, down to its newest answer. */
export function show(conversation, id) {
  let node = conversation.nodes[id];
  while (node.children.length) node = conversation.nodes[node.children.at(-1)];
  conversation.leaf = node.id;
}

/** Refuses what is no list of conversations; a file from outside may hold anything. */
export function check(data) {
  if (!Array.isArray(data?.conversations)) throw new Error('The file holds no conversations.');
  return data.conversations.map(c => {
    const kept = { id: String(c.id), title: String(c.title ?? '').slice(0, 200), changed: Number(c.changed) || 0, nodes: Object.create(null), roots: [], leaf: null };
    for (const [id, n] of Object.entries(c.nodes ?? {})) {
      if (!['user', 'assistant'].includes(n?.role) || typeof n.content !== 'string') throw new Error('A message of the file is not well formed.');
      kept.nodes[id] = { ...n, id, parent: n.parent ?? null, children: [], reasoning: typeof n.reasoning === 'string' ? n.reasoning : '' };
    }
    for (const node of Object.values(kept.nodes)) {
      if (node.parent !== null && !kept.nodes[node.parent]) throw new Error('A message of the file answers one that is not there.');
      siblings(kept, node).push(node.id);
    }
    // Messages that answer each other in a ring lead nowhere.
    for (const node of Object.values(kept.nodes)) {
      let steps = 0;
      for (let n = node; n.parent; n = kept.nodes[n.parent]) if (++steps > 1e5) throw new Error('The messages of the file run in a ring.');
    }
    kept.leaf = kept.nodes[c.leaf] ? c.leaf : null;
    if (!kept.leaf && kept.roots.length) show(kept, kept.roots.at(-1));
    return kept;
  });
}
