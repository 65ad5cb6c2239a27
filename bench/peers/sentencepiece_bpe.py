"""python3 sentencepiece_bpe.py TEXT DOCUMENTS.jsonl MODEL: trains an 8k BPE vocabulary on TEXT into MODEL.model and encodes the documents.

Prints "train MB/s" and "encode MB/s tokens".
"""
import json
import os
import sys
import time

import sentencepiece

text, documents, model = sys.argv[1:4]
start = time.perf_counter()
sentencepiece.SentencePieceTrainer.train(
    input=text, model_prefix=model, vocab_size=8192, model_type="bpe", byte_fallback=True, character_coverage=0.9995,
    max_sentence_length=1 << 20, num_threads=os.cpu_count(), minloglevel=2)
print("train", f"{os.path.getsize(text) / (time.perf_counter() - start) / 1e6:.2f}")

processor = sentencepiece.SentencePieceProcessor(model_file=model + ".model")
with open(documents, encoding="utf-8") as file:
    lines = [json.loads(line) for line in file]
size = sum(len(line.encode()) for line in lines)
best, tokens = float("inf"), 0
for _ in range(3):
    start = time.perf_counter()
    tokens = sum(len(processor.encode(line)) for line in lines)
    best = min(best, time.perf_counter() - start)
print("encode", f"{size / best / 1e6:.2f}", tokens)
