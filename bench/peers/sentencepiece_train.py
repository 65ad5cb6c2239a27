"""python3 sentencepiece_train.py TEXT MODEL: trains an 8k BPE vocabulary on TEXT into MODEL.model and prints "train MB/s"."""
import os
import sys
import time

import sentencepiece

text, model = sys.argv[1:3]
start = time.perf_counter()
sentencepiece.SentencePieceTrainer.train(
    input=text, model_prefix=model, vocab_size=8192, model_type="bpe", byte_fallback=True, character_coverage=0.9995,
    max_sentence_length=1 << 20, num_threads=os.cpu_count(), minloglevel=2)
print("train", f"{os.path.getsize(text) / (time.perf_counter() - start) / 1e6:.2f}")
