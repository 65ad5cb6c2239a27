"""ROUGE-1, ROUGE-L, BLEU and chrF in straightforward Python, over the pairs of EvaluationBench: python3 bench/peers/text_metrics.py"""
import collections
import math
import random
import re
import time


def pairs(count):
    rnd = random.Random(5)
    below = rnd._randbelow
    made = []
    for _ in range(count):
        reference = [f"word{below(400)}" for _ in range(20)]
        prediction = [w if rnd.random() < 0.5 else f"word{below(400)}" for w in reference]
        made.append((" ".join(prediction), " ".join(reference)))
    return made


def f1(hits, p, r):
    return 2 * hits / (p + r) if p + r else 0.0


def words(text):
    return re.findall(r"[a-z0-9]+", text.lower())


def rouge1(p, r):
    a, b = words(p), words(r)
    return f1(sum((collections.Counter(a) & collections.Counter(b)).values()), len(a), len(b))


def rouge_l(p, r):
    a, b = words(p), words(r)
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            table[i][j] = table[i - 1][j - 1] + 1 if a[i - 1] == b[j - 1] else max(table[i - 1][j], table[i][j - 1])
    return f1(table[-1][-1], len(a), len(b))


def bleu(p, r):
    a, b = p.split(), r.split()
    total = 0.0
    for n in range(1, 5):
        x = collections.Counter(tuple(a[i:i + n]) for i in range(len(a) - n + 1))
        y = collections.Counter(tuple(b[i:i + n]) for i in range(len(b) - n + 1))
        total += math.log(max(sum((x & y).values()), 1e-9) / max(sum(x.values()), 1))
    return math.exp(total / 4) * min(1, math.exp(1 - len(b) / len(a)))


def chrf(p, r):
    a, b = p.replace(" ", ""), r.replace(" ", "")
    total = 0.0
    for n in range(1, 7):
        x = collections.Counter(a[i:i + n] for i in range(len(a) - n + 1))
        y = collections.Counter(b[i:i + n] for i in range(len(b) - n + 1))
        hits = sum((x & y).values())
        precision, recall = hits / sum(x.values()), hits / sum(y.values())
        total += 5 * precision * recall / (4 * precision + recall) if hits else 0.0
    return total / 6


made = pairs(2000)
for name, metric in (("rouge1", rouge1), ("rougeL", rouge_l), ("bleu", bleu), ("chrf", chrf)):
    best = 1e9
    for _ in range(2):
        start = time.perf_counter()
        for p, r in made:
            metric(p, r)
        best = min(best, time.perf_counter() - start)
    print(f"{name}: {len(made) / best:.0f} pairs a second")
