using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Alignment;

/// <summary>A prompt with a better and a worse answer, each tokenized as a whole; only the tokens of the answers are targets.</summary>
/// <param name="Chosen">Prompt and better answer.</param>
/// <param name="Rejected">Prompt and worse answer.</param>
public sealed record PreferenceExample(Example Chosen, Example Rejected)
{
    /// <summary>By how much the better answer is known to be better; 0 where that is not known.</summary>
    public double Margin { get; init; }

    /// <summary>All tokens that go through the model.</summary>
    public int TotalTokens => Chosen.TotalTokens + Rejected.TotalTokens;
}

/// <summary>Pairs of answers that go through the model at once.</summary>
/// <param name="Tokens">2P sequences: P better answers, then the P worse ones in the same order, each behind its prompt.</param>
/// <param name="Targets">For every token the next one, where it belongs to an answer; else −100.</param>
/// <param name="Margins">The margin of every pair.</param>
/// <param name="Reference">log π_ref of every sequence, summed over its targets; null where there is no reference.</param>
public sealed record PreferenceBatch(TokenBatch Tokens, int[] Targets, IReadOnlyList<double> Margins, IReadOnlyList<double>? Reference) : TrainingBatch
{
    /// <summary>The number of pairs.</summary>
    public int Pairs => Tokens.Sequences / 2;

    /// <summary>Whether the model has not been trained yet, and so must still be its reference.</summary>
    public bool IsFirst { get; init; }

    /// <summary>Which tokens the loss has a term of −log π of.</summary>
    public SftTokens Sft { get; init; }

    /// <summary>The tokens of that term.</summary>
    public int SftCount => Sft switch
    {
        SftTokens.Answers => HostLoss.Counted(Targets, 0, Tokens.Starts[Pairs]),
        SftTokens.PromptsAndAnswers => Tokens.Starts[Pairs] - Pairs,
        _ => 0,
    };

    /// <summary>For every token the next one, of better answers and their prompts, and else the targets.</summary>
    public int[] AllTargets => [.. Targets.Select((t, i) => t < 0 && i < Tokens.Starts[Pairs] && Array.IndexOf(Tokens.Starts, i + 1) < 0 ? Tokens.Ids[i + 1] : t)];

    /// <inheritdoc/>
    public override long TokenCount => Tokens.Count + (Tokens.Source?.Count ?? 0);

    /// <inheritdoc/>
    public override IReadOnlyList<double> Weights => Sft == SftTokens.None ? [Pairs] : [Pairs, SftCount];
}

/// <summary>The tokens that are learned beside a preference.</summary>
public enum SftTokens
{
    /// <summary>None.</summary>
    None,

    /// <summary>Those of the better answers.</summary>
    Answers,

    /// <summary>Those of the better answers and of their prompts, as TRL's ORPO.</summary>
    PromptsAndAnswers,
}

/// <summary>Pairs packed into micro-batches, with the log-probabilities that a reference gave their answers.</summary>
public sealed class PreferenceExamples
{
    private readonly IReadOnlyList<PreferenceExample> _examples;
    private readonly PassOrder _order;
    private readonly int _tokens;
    private double[]? _referenceChosen;
    private double[]? _referenceRejected;

    /// <summary>Packs pairs.</summary>
    /// <param name="examples">At least one pair, each at most <paramref name="tokens"/> long, each answer with a target.</param>
    /// <param name="tokens">The most tokens per micro-batch.</param>
    /// <param name="seed">Which order they come in.</param>
    /// <exception cref="InvalidDataException">There are no pairs, one is too long, or an answer is empty.</exception>
    public PreferenceExamples(IReadOnlyList<PreferenceExample> examples, int tokens, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(examples);
        for (int i = 0; i < examples.Count; i++)
        {
            if (!HasTargets(examples[i].Chosen) || !HasTargets(examples[i].Rejected))
                throw new InvalidDataException($"Pair {i + 1} has an answer without tokens; leave it out.");
        }
        (_examples, _tokens, _order) = (examples, tokens, new PassOrder([.. examples.Select(e => e.TotalTokens)], tokens, seed));

        static bool HasTargets(Example example) => Enumerable.Range(0, example.Ids.Length).Any(example.IsTarget);
    }

    /// <summary>The number of pairs.</summary>
    public int Count => _examples.Count;

    /// <summary>The micro-batch of a number, from 0, without end.</summary>
    public PreferenceBatch this[long index] => Pack(_order[index]);

    /// <summary>Micro-batches in which a number of passes come to their end.</summary>
    public long BatchesOf(long passes) => _order.BatchesOf(passes);

    /// <summary>Everything once, in order.</summary>
    public IEnumerable<PreferenceBatch> All() => _order.All().Select(Pack);

    /// <summary>
    /// Computes the reference's log-probabilities once for all pairs: those of the model as it is now, along the way that training computes them, so that
    /// the first log-ratio is exactly 0.
    /// </summary>
    /// <param name="reference">The reference: for most the model itself before it is trained.</param>
    /// <param name="precision">The precision of training.</param>
    /// <param name="cancellation">Gives up.</param>
    public void SetReference(GenerativeModel reference, Precision precision, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(reference);
        double[] chosen = new double[_examples.Count], rejected = new double[_examples.Count];
        using Workspace w = reference.Parts.Store.NewScratch(precision);
        foreach (IReadOnlyList<int> pairs in _order.All())
        {
            cancellation.ThrowIfCancellationRequested();
            PreferenceBatch batch = Pack(pairs);
            ReadOnlySpan<float> values = HostLoss.LogProbabilities(reference, new Pass(batch.Tokens, w), batch.Targets).Values();
            for (int i = 0; i < pairs.Count; i++)
                (chosen[pairs[i]], rejected[pairs[i]]) = (values[i], values[pairs.Count + i]);
            w.Reset();
        }
        (_referenceChosen, _referenceRejected) = (chosen, rejected);
    }

    private PreferenceBatch Pack(IReadOnlyList<int> pairs)
    {
        Example[] answers = [.. pairs.Select(i => _examples[i].Chosen), .. pairs.Select(i => _examples[i].Rejected)];
        MicroBatch packed = new PackedExamples(answers, Math.Max(_tokens, answers.Sum(a => a.TotalTokens)), 0).All().Single();
        return new PreferenceBatch(
            packed.Tokens,
            packed.Targets,
            [.. pairs.Select(i => _examples[i].Margin)],
            _referenceChosen is null ? null : [.. pairs.Select(i => _referenceChosen[i]), .. pairs.Select(i => _referenceRejected![i])]);
    }
}
