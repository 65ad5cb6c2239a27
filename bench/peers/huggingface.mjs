// node huggingface.mjs DOCUMENTS.jsonl TOKENIZER.json: a line "huggingface MB/s tokens" for Hugging Face's tokenizers on one thread.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

process.env.TOKENIZERS_PARALLELISM = 'false';
const require = createRequire(process.env.GRADUS_PEERS + '/');
const [file, tokenizerFile] = process.argv.slice(2);
const documents = readFileSync(file, 'utf8').split('\n').filter(l => l).map(l => JSON.parse(l));
const bytes = documents.reduce((sum, d) => sum + Buffer.byteLength(d), 0);
const tokenizer = require('tokenizers').Tokenizer.fromFile(tokenizerFile);

let best = Infinity, tokens = 0;
for (let round = 0; round < 2; round++) {
  const start = performance.now();
  const encodings = await tokenizer.encodeBatch(documents, { addSpecialTokens: false });
  best = Math.min(best, performance.now() - start);
  tokens = encodings.reduce((sum, e) => sum + e.getLength(), 0);
}
console.log(`huggingface ${(bytes / best / 1e3).toFixed(2)} ${tokens}`);
