// node tokenizers.mjs DOCUMENTS.jsonl ENCODING: a line "name MB/s tokens" for each peer. The documents are JSON strings, one a line.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.GRADUS_PEERS + '/');
const [file, encoding] = process.argv.slice(2);
const documents = readFileSync(file, 'utf8').split('\n').filter(l => l).map(l => JSON.parse(l));
const bytes = documents.reduce((sum, d) => sum + Buffer.byteLength(d), 0);

function measure(name, encode) {
  let best = Infinity, tokens = 0;
  for (let round = 0; round < 3; round++) {
    tokens = 0;
    const start = performance.now();
    for (const document of documents) tokens += encode(document).length;
    best = Math.min(best, performance.now() - start);
  }
  console.log(`${name} ${(bytes / best / 1e3).toFixed(2)} ${tokens}`);
}

const tiktoken = require('tiktoken').get_encoding(encoding);
measure('tiktoken', d => tiktoken.encode_ordinary(d));
const gpt = require(`gpt-tokenizer/cjs/encoding/${encoding === 'gpt2' ? 'r50k_base' : encoding}`);
measure('gpt-tokenizer', d => gpt.encode(d, { allowedSpecial: new Set() }));
