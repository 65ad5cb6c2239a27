// BERT's second task and ALBERT's. The steps follow BERT's create_pretraining_data.py: sentences are gathered to a chunk of the wanted
// length, cut in two at a random sentence, the second part perhaps replaced by one of another document, the longer one cut at either end.

using System.ComponentModel.DataAnnotations;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Objectives;

/// <summary>What is asked about two pieces of text.</summary>
public enum PairTask
{
    /// <summary>Whether the second follows the first in their document (class 0) or comes from another one (class 1) (Devlin et al., "BERT", 2019).</summary>
    NextSentence,

    /// <summary>Whether they stand in their own order (class 0) or swapped (class 1) (Lan et al., "ALBERT", 2020).</summary>
    SentenceOrder,
}

/// <summary>How pairs are made.</summary>
/// <param name="Task">What is asked.</param>
/// <param name="Length">The most tokens of a pair, its three special tokens included.</param>
/// <param name="ShortShare">The share of documents whose pairs are made for a shorter length, uniform from 2 on.</param>
/// <param name="ChangedShare">The share of pairs of class 1; more where a chunk has one sentence only.</param>
public sealed record PairOptions(
    PairTask Task = PairTask.NextSentence,
    [Range(5, 1_000_000)] int Length = 128,
    [Range(0.0, 1.0)] double ShortShare = 0.1,
    [Range(0.0, 1.0)] double ChangedShare = 0.5);

/// <summary>A pair with its special tokens.</summary>
/// <param name="Ids">[CLS] first [SEP] second [SEP].</param>
/// <param name="TokenTypes">0 up to the first [SEP], then 1.</param>
/// <param name="Class">0 or 1.</param>
public sealed record SentencePair(int[] Ids, int[] TokenTypes, int Class);

/// <summary>Pairs of pieces of text with masked tokens, for models with a masked language model's head and one that judges sequences, in this order.</summary>
public sealed class SentencePairs : TaskSource
{
    private readonly IReadOnlyList<IReadOnlyList<int[]>> _documents;
    private readonly PairOptions _options;
    private readonly TokenMask _mask;
    private readonly int _classifier;
    private readonly int _separator;
    private readonly int _tokens;
    private readonly ulong _seed;
    private readonly Lock _lock = new();
    private (long Pass, SentencePair[] Pairs, PassOrder Order, long First) _current = (-1, [], null!, 0);
    private readonly List<long> _first = [0];

    /// <summary>Makes pairs.</summary>
    /// <param name="documents">The sentences of every document, tokenized without special tokens; at least two documents for next sentences.</param>
    /// <param name="options">How.</param>
    /// <param name="mask">Which tokens are masked.</param>
    /// <param name="classifier">[CLS].</param>
    /// <param name="separator">[SEP].</param>
    /// <param name="tokens">The most tokens per micro-batch, at least a pair's.</param>
    /// <param name="seed">What pairs are drawn from.</param>
    /// <exception cref="InvalidDataException">There are too few documents.</exception>
    public SentencePairs(IReadOnlyList<IReadOnlyList<int[]>> documents, PairOptions options, TokenMask mask, int classifier, int separator, int tokens, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(mask);
        _documents = [.. documents.Select(d => (IReadOnlyList<int[]>)[.. d.Where(s => s.Length > 0)]).Where(d => d.Count > 0)];
        int least = options.Task == PairTask.NextSentence ? 2 : 1;
        if (_documents.Count < least)
            throw new InvalidDataException($"Pairs of sentences need at least {least} documents with text, but there are {_documents.Count}; give more.");
        if (options.Length > tokens)
            throw new InvalidDataException($"A pair takes up to {options.Length} tokens, but a micro-batch {tokens}; raise the one or lower the other.");
        (_options, _mask, _classifier, _separator, _tokens, _seed) = (options, mask, classifier, separator, tokens, CounterRandom.Derive(seed, "pairs"));
    }

    /// <inheritdoc/>
    public override TaskBatch this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            lock (_lock)
            {
                while (_first[^1] <= index)
                    Look(_first.Count - 1);
                int found = _first.BinarySearch(index), pass = found < 0 ? ~found - 1 : found;
                if (_current.Pass != pass)
                    Look(pass);
                return Pack([.. _current.Order[index - _current.First].Select(i => _current.Pairs[i])], index);
            }
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<TaskBatch> All()
    {
        SentencePair[] pairs = [.. Pairs(long.MaxValue)];
        return new PassOrder([.. pairs.Select(p => p.Ids.Length)], _tokens, _seed).All()
            .Select((chosen, i) => Pack([.. chosen.Select(c => pairs[c])], (1L << 40) + i));
    }

    /// <summary>All pairs of a pass over the documents, which depend on its number.</summary>
    public IEnumerable<SentencePair> Pairs(long pass)
    {
        ulong key = CounterRandom.Derive(_seed, (ulong)pass);
        for (int d = 0; d < _documents.Count; d++)
        {
            PairDraw draw = new(CounterRandom.Derive(key, (ulong)d));
            foreach (SentencePair pair in PairsOf(d, draw))
                yield return pair;
        }
    }

    private IEnumerable<SentencePair> PairsOf(int document, PairDraw draw)
    {
        IReadOnlyList<int[]> sentences = _documents[document];
        int most = _options.Length - 3;
        int target = draw.Uniform() < _options.ShortShare ? 2 + draw.Below(most - 1) : most;
        List<int[]> chunk = [];
        for (int i = 0; i < sentences.Count; i++)
        {
            chunk.Add(sentences[i]);
            if (i + 1 < sentences.Count && chunk.Sum(s => s.Length) < target)
                continue;
            // A chunk of one sentence has no second part of its own.
            int cut = chunk.Count > 1 ? 1 + draw.Below(chunk.Count - 1) : 1;
            int[] first = [.. chunk.Take(cut).SelectMany(s => s)], second = [.. chunk.Skip(cut).SelectMany(s => s)];
            bool changed = draw.Uniform() < _options.ChangedShare;
            if (_options.Task == PairTask.NextSentence && (chunk.Count == 1 || changed))
            {
                changed = true;
                second = FromAnother(document, target - first.Length, draw);
                // Sentences that were not used go back.
                i -= chunk.Count - cut;
            }
            else if (chunk.Count == 1 && first.Length > 1)
            {
                (first, second) = (first[..(first.Length / 2)], first[(first.Length / 2)..]);
            }
            if (_options.Task == PairTask.SentenceOrder && changed)
                (first, second) = (second, first);
            if (first.Length > 0 && second.Length > 0)
                yield return Finish(first, second, changed ? 1 : 0, most, draw);
            chunk.Clear();
        }
    }

    // From a random sentence of another document on.
    private int[] FromAnother(int document, int length, PairDraw draw)
    {
        int other = draw.Below(_documents.Count - 1);
        IReadOnlyList<int[]> sentences = _documents[other >= document ? other + 1 : other];
        List<int> ids = [];
        for (int i = draw.Below(sentences.Count); i < sentences.Count && (ids.Count == 0 || ids.Count < length); i++)
            ids.AddRange(sentences[i]);
        return [.. ids];
    }

    // The longer part loses tokens at its beginning or its end, as a coin says.
    private SentencePair Finish(int[] first, int[] second, int kind, int most, PairDraw draw)
    {
        LinkedList<int> a = new(first), b = new(second);
        while (a.Count + b.Count > most)
        {
            LinkedList<int> longer = a.Count > b.Count ? a : b;
            if (draw.Uniform() < 0.5)
                longer.RemoveFirst();
            else
                longer.RemoveLast();
        }
        int[] ids = [_classifier, .. a, _separator, .. b, _separator];
        return new SentencePair(ids, [.. ids.Select((_, i) => i < a.Count + 2 ? 0 : 1)], kind);
    }

    private void Look(int pass)
    {
        SentencePair[] pairs = [.. Pairs(pass)];
        if (pairs.Length == 0)
            throw new InvalidDataException("The documents give no pair of sentences; give longer ones.");
        PassOrder order = new([.. pairs.Select(p => p.Ids.Length)], _tokens, CounterRandom.Derive(_seed, (ulong)pass));
        _current = (pass, pairs, order, _first[pass]);
        if (pass == _first.Count - 1)
            _first.Add(_first[pass] + order.BatchesOf(1));
    }

    private TaskBatch Pack(SentencePair[] pairs, long index)
    {
        TokenBatch plain = TokenBatch.Of([.. pairs.Select(p => p.Ids)]);
        int[] ids = [.. plain.Ids], targets = new int[ids.Length];
        for (int s = 0; s < pairs.Length; s++)
        {
            Range sequence = plain.Starts[s]..plain.Starts[s + 1];
            _mask.Apply(ids.AsSpan(sequence), targets.AsSpan(sequence), (index << 20) + s);
        }
        TokenBatch tokens = new(ids, plain.Starts, tokenTypes: [.. pairs.SelectMany(p => p.TokenTypes)]);
        return new TaskBatch(tokens, [HeadTargets.Of(targets), HeadTargets.Of([.. pairs.Select(p => p.Class)])]);
    }

    /// <summary>Numbers in turn, of one document in one pass.</summary>
    private sealed class PairDraw(ulong key)
    {
        private long _drawn;

        public double Uniform() => CounterRandom.Uniform(key, _drawn++);

        public int Below(int n) => CounterRandom.Below(key, _drawn++, n);
    }
}
