// Purpose: ROUGE-1, -2, -L and -Lsum, equal to google-research's rouge_score.
// Source: C.-Y. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004, https://aclanthology.org/W04-1013, and
// https://github.com/google-research/google-research/tree/master/rouge for what the paper leaves open (tokens, Lsum's counting).
// Left out: skip-bigrams (ROUGE-S), weights (ROUGE-W), jackknifing over references, and sentence splitting: Lsum splits on \n.

using System.Text;

namespace Gradus.Evaluation.Metrics;

/// <summary>ROUGE: overlap with reference summaries in n-grams or in longest common subsequences; the score is the F-measure.</summary>
public sealed class Rouge : MeanMetric
{
    private enum Unit { Ngram, Sequence, SummarySequence }

    private readonly Unit unit;
    private readonly int order;

    private Rouge(Unit unit, int order, string name, bool stem)
    {
        this.unit = unit;
        this.order = order;
        Name = name;
        Stem = stem;
    }

    /// <summary>ROUGE-N: overlap of n-grams.</summary>
    /// <param name="order">n, 1 to 9.</param>
    /// <param name="stem">Whether words of more than three characters are reduced to their Porter stem.</param>
    /// <exception cref="ArgumentOutOfRangeException">n is not from 1 to 9.</exception>
    public static Rouge N(int order, bool stem = true)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(order, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(order, 9);
        return new Rouge(Unit.Ngram, order, $"rouge{order}", stem);
    }

    /// <summary>ROUGE-L: the longest common subsequence of the whole texts.</summary>
    /// <param name="stem">Whether words of more than three characters are reduced to their Porter stem.</param>
    public static Rouge L(bool stem = true) => new(Unit.Sequence, 1, "rougeL", stem);

    /// <summary>ROUGE-Lsum: for each line of the reference, the union of its longest common subsequences with the prediction's lines.</summary>
    /// <param name="stem">Whether words of more than three characters are reduced to their Porter stem.</param>
    public static Rouge Lsum(bool stem = true) => new(Unit.SummarySequence, 1, "rougeLsum", stem);

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override string Label => $"ROUGE-{Name["rouge".Length..]}";

    /// <summary>Whether words of more than three characters are reduced to their Porter stem.</summary>
    public bool Stem { get; }

    /// <inheritdoc/>
    public override string Settings => Stem ? "stem:porter" : "stem:none";

    /// <inheritdoc/>
    public override double Best => 1;

    /// <summary>Precision, recall and F-measure against the reference that gives the largest F-measure (the first of equals).</summary>
    /// <param name="prediction">The text to score.</param>
    /// <param name="references">The reference texts, one at least.</param>
    /// <exception cref="ArgumentException">There is no reference.</exception>
    public PrecisionRecallF Measure(string prediction, params IReadOnlyList<string> references)
    {
        RequireReference(new(prediction, references));
        PrecisionRecallF best = Pair(prediction, references[0]);
        for (int i = 1; i < references.Count; i++)
        {
            PrecisionRecallF next = Pair(prediction, references[i]);
            if (next.F > best.F)
                best = next;
        }
        return best;
    }

    /// <summary>The words of a text: runs of a–z and 0–9 after lower-casing, stemmed if asked.</summary>
    /// <param name="text">The text.</param>
    /// <param name="stem">Whether words of more than three characters are reduced to their Porter stem.</param>
    public static List<string> Tokenize(string text, bool stem)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<string> words = [];
        StringBuilder word = new();
        foreach (char c in PythonText.ToLower(text).Append('\n'))
        {
            if (char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c))
            {
                word.Append(c);
            }
            else if (word.Length > 0)
            {
                string token = word.ToString();
                words.Add(stem && token.Length > 3 ? PorterStemmer.Stem(token) : token);
                word.Clear();
            }
        }
        return words;
    }

    /// <inheritdoc/>
    protected override double ScoreOf(MetricExample example) => Measure(example.Prediction, example.References).F;

    private PrecisionRecallF Pair(string prediction, string reference)
    {
        NgramIndex index = new();
        if (unit == Unit.SummarySequence)
            return Summary(Lines(prediction, index), Lines(reference, index));
        int[] p = index.Tokens(Tokenize(prediction, Stem)), r = index.Tokens(Tokenize(reference, Stem));
        if (unit == Unit.Sequence)
            return PrecisionRecallF.OfCounts(LongestCommonSubsequence.Length(r, p), p.Length, r.Length);
        int hits = NgramIndex.Overlap(index.Counts(p, order)[^1], index.Counts(r, order)[^1]);
        return PrecisionRecallF.OfCounts(hits, p.Length - order + 1, r.Length - order + 1);
    }

    private List<int[]> Lines(string text, NgramIndex index)
    {
        List<int[]> lines = [];
        foreach (string line in text.Split('\n'))
            lines.Add(index.Tokens(Tokenize(line, Stem)));
        return lines;
    }

    // A token of the union is a hit while both texts still have an occurrence of it that was not counted.
    private static PrecisionRecallF Summary(List<int[]> prediction, List<int[]> reference)
    {
        Dictionary<int, int> left = [];
        int predicted = prediction.Sum(line => line.Length), actual = reference.Sum(line => line.Length), hits = 0;
        foreach (int token in prediction.SelectMany(line => line))
            left[token] = left.GetValueOrDefault(token) + 1;
        // Equal lines have equal subsequences: each distinct line is compared once.
        List<int[]> distinct = [.. prediction.Distinct(SameTokens.Instance)];
        Dictionary<int[], List<int>> unions = new(SameTokens.Instance);
        foreach (int[] line in reference)
        {
            if (!unions.TryGetValue(line, out List<int>? union))
                unions[line] = union = Union(line, distinct);
            foreach (int i in union)
            {
                if (left.GetValueOrDefault(line[i]) > 0)
                {
                    left[line[i]]--;
                    hits++;
                }
            }
        }
        return PrecisionRecallF.OfCounts(hits, predicted, actual);
    }

    // The positions of a reference line that lie on its longest common subsequence with some line of the prediction.
    private static List<int> Union(int[] line, List<int[]> prediction)
    {
        var covered = new bool[line.Length];
        int count = 0;
        foreach (int[] other in prediction)
        {
            if (count == line.Length)
                break;
            foreach (int i in LongestCommonSubsequence.PositionsInX(line, other))
            {
                count += covered[i] ? 0 : 1;
                covered[i] = true;
            }
        }
        return [.. Enumerable.Range(0, line.Length).Where(i => covered[i])];
    }

    private sealed class SameTokens : IEqualityComparer<int[]>
    {
        public static readonly SameTokens Instance = new();

        public bool Equals(int[]? a, int[]? b) => a.AsSpan().SequenceEqual(b);

        public int GetHashCode(int[] tokens)
        {
            HashCode hash = default;
            hash.AddBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(tokens));
            return hash.ToHashCode();
        }
    }
}
