"""python3 sentencepiece_encode.py DOCUMENTS.jsonl MODEL: a line "sentencepiece MB/s tokens" for encoding the documents with a model."""
import json
import sys
import time

import sentencepiece

documents, model = sys.argv[1:3]
processor = sentencepiece.SentencePieceProcessor(model_file=model)
with open(documents, encoding="utf-8") as file:
    lines = [json.loads(line) for line in file]
size = sum(len(line.encode()) for line in lines)
best, tokens = float("inf"), 0
for _ in range(3):
    start = time.perf_counter()
    tokens = sum(len(processor.encode(line)) for line in lines)
    best = min(best, time.perf_counter() - start)
print("sentencepiece", f"{size / best / 1e6:.2f}", tokens)
