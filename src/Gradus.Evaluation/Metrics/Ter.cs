// Purpose: translation edit rate, equal to sacrebleu 2.5.1.
// Source: Snover et al., "A Study of Translation Edit Rate with Targeted Human Annotation", 2006, https://aclanthology.org/2006.amta-papers.25;
// the greedy search for shifts and its limits follow Tercom as re-implemented in sacrebleu, since the paper leaves them open.

namespace Gradus.Evaluation.Metrics;

/// <summary>
/// TER in percent: insertions, deletions, substitutions and shifts of phrases that turn the prediction into the reference, over
/// the reference's words. 0 is best; it can exceed 100. Of several references the one that needs the fewest edits counts, over
/// their mean length.
/// </summary>
public sealed class Ter : Metric
{
    private const int LongestShift = 10;
    private const int FarthestShift = 50;
    private const int MostCandidates = 1000;

    private readonly TercomTokenizer tokenizer;

    /// <summary>TER with the given settings; the defaults are sacreBLEU's.</summary>
    /// <param name="normalize">Whether punctuation is split off words and XML entities are read.</param>
    /// <param name="keepPunctuation">Whether punctuation counts.</param>
    /// <param name="asian">Whether, in the two settings before, Chinese and Japanese characters and punctuation are treated too.</param>
    /// <param name="caseSensitive">Whether case counts.</param>
    public Ter(bool normalize = false, bool keepPunctuation = true, bool asian = false, bool caseSensitive = false)
    {
        tokenizer = new(normalize, keepPunctuation, asian, caseSensitive);
        Settings = $"case:{(caseSensitive ? "mixed" : "lc")}|tok:tercom|norm:{YesNo(normalize)}|punct:{YesNo(keepPunctuation)}|asian:{YesNo(asian)}";

        static string YesNo(bool value) => value ? "yes" : "no";
    }

    /// <inheritdoc/>
    public override string Name => "ter";

    /// <inheritdoc/>
    public override string Settings { get; }

    /// <inheritdoc/>
    public override double Best => 0;

    /// <inheritdoc/>
    public override bool HigherIsBetter => false;

    // edits, words of the reference
    /// <inheritdoc/>
    protected internal override int StatisticCount => 2;

    /// <inheritdoc/>
    protected internal override void Tally(MetricExample example, Span<double> statistics)
    {
        RequireReference(example);
        NgramIndex index = new();
        int[] prediction = index.Tokens(tokenizer.Words(example.Prediction));
        statistics[0] = double.PositiveInfinity;
        foreach (string text in example.References)
        {
            // The reference implementation tokenizes references twice, which matters where normalizing once leaves something to do.
            int[] reference = index.Tokens(tokenizer.Words(string.Join(' ', tokenizer.Words(text))));
            statistics[0] = Math.Min(statistics[0], Edits(prediction, reference));
            statistics[1] += (double)reference.Length / example.References.Count;
        }
    }

    /// <inheritdoc/>
    protected internal override double Aggregate(ReadOnlySpan<double> totals)
        => totals[1] > 0 ? 100 * totals[0] / totals[1] : totals[0] > 0 ? 100 : 0;

    /// <summary>Edits and shifts from a text to its reference.</summary>
    internal static int Edits(int[] text, int[] reference)
    {
        if (reference.Length == 0)
            return text.Length;
        int shifts = 0, candidates = 0;
        BeamEditDistance distance = new(text, reference);
        while (distance.Distance > 0)
        {
            Shift? best = BestShift(text, reference, distance, ref candidates);
            // At the limit even a shift that helps is dropped.
            if (candidates >= MostCandidates || best is not { Gain: > 0 } shift)
                break;
            text = Perform(text, shift);
            distance = new(text, reference);
            shifts++;
        }
        return shifts + distance.Distance;
    }

    // Words From..From + Length of the text move to before the word at Target.
    private readonly record struct Shift(int Gain, int Length, int From, int Target)
    {
        // The largest gain, then the longest, then the first, then the one moved farthest to the front.
        public bool IsBetterThan(Shift other)
            => (Gain, Length, -From, -Target).CompareTo((other.Gain, other.Length, -other.From, -other.Target)) > 0;
    }

    private static Shift? BestShift(int[] text, int[] reference, BeamEditDistance distance, ref int candidates)
    {
        Alignment alignment = new(distance.Trace(), text.Length, reference.Length);
        Shift? best = null;
        for (int from = 0; from < text.Length; from++)
        {
            int last = Math.Min(reference.Length - 1, from + FarthestShift);
            for (int to = Math.Max(0, from - FarthestShift); to <= last; to++)
            {
                for (int length = 1; length <= LongestShift && Matches(from + length - 1, to + length - 1); length++)
                {
                    if (!alignment.IsWorthMoving(from, to, length))
                        continue;
                    Try(from, to, length, ref candidates);
                    if (candidates >= MostCandidates)
                        return best;
                }
            }
        }
        return best;

        bool Matches(int i, int j) => i < text.Length && j < reference.Length && text[i] == reference[j];

        void Try(int from, int to, int length, ref int tried)
        {
            int previous = -1;
            for (int j = to - 1; j < to + length; j++)
            {
                int target = j < 0 ? 0 : alignment.Position[j] + 1;
                if (target == previous)
                    continue;
                previous = target;
                int[] moved = Perform(text, new(0, length, from, target));
                int first = Math.Min(from, target), end = Math.Min(text.Length, Math.Max(from, target) + length);
                Shift shift = new(distance.Distance - distance.DistanceOf(moved, first, end), length, from, target);
                tried++;
                if (best is not { } current || shift.IsBetterThan(current))
                    best = shift;
            }
        }
    }

    // A target behind the words counts positions with them; one among them counts as if they were already gone.
    private static int[] Perform(int[] text, Shift shift)
    {
        int from = shift.From, end = from + shift.Length;
        List<int> rest = [.. text[..from], .. text[end..]];
        int at = shift.Target > end ? shift.Target - shift.Length : Math.Min(shift.Target, rest.Count);
        rest.InsertRange(at, text[from..end]);
        return [.. rest];
    }

    // Which word of the text stands for each word of the reference, and which words of both are wrong.
    private sealed class Alignment
    {
        private readonly int[] textErrors;
        private readonly int[] referenceErrors;

        public Alignment(List<EditOperation> trace, int textLength, int referenceLength)
        {
            Position = new int[referenceLength];
            textErrors = new int[textLength + 1];
            referenceErrors = new int[referenceLength + 1];
            int i = 0, j = 0;
            foreach (EditOperation operation in trace)
            {
                int error = operation == EditOperation.Keep ? 0 : 1;
                if (operation != EditOperation.Insert)
                {
                    textErrors[i + 1] = textErrors[i] + error;
                    i++;
                }
                if (operation != EditOperation.Delete)
                {
                    referenceErrors[j + 1] = referenceErrors[j] + error;
                    Position[j++] = i - 1;
                }
            }
        }

        /// <summary>For each word of the reference, the position of its word in the text, or of the last one before it (−1: none).</summary>
        public int[] Position { get; }

        // Both sides hold an error, and the words do not already stand for the place they would move to.
        public bool IsWorthMoving(int from, int to, int length)
            => textErrors[from + length] > textErrors[from]
               && referenceErrors[to + length] > referenceErrors[to]
               && (Position[to] < from || Position[to] >= from + length);
    }
}
