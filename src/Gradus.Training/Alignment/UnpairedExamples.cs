using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Alignment;

/// <summary>A prompt with an answer that is good or bad, tokenized as a whole.</summary>
/// <param name="Answer">Prompt and answer; only the answer's tokens are targets.</param>
/// <param name="IsGood">Whether the answer is good.</param>
public sealed record UnpairedExample(Example Answer, bool IsGood);

/// <summary>Answers that go through the model at once, and perhaps mismatched ones, from which the distance to the reference is estimated.</summary>
/// <param name="Tokens">P sequences, or P and the same prompts with other prompts' answers.</param>
/// <param name="Targets">For every token the next one, where it belongs to an answer; else −100.</param>
/// <param name="Good">Whether each of the P answers is good.</param>
/// <param name="Reference">log π_ref of every sequence.</param>
public sealed record UnpairedBatch(TokenBatch Tokens, int[] Targets, IReadOnlyList<bool> Good, IReadOnlyList<double> Reference) : TrainingBatch
{
    /// <summary>Whether the model has not been trained yet, and so must still be its reference.</summary>
    public bool IsFirst { get; init; }

    /// <inheritdoc/>
    public override long TokenCount => Tokens.Count + (Tokens.Source?.Count ?? 0);

    /// <inheritdoc/>
    public override IReadOnlyList<double> Weights => [Good.Count];
}

/// <summary>Labelled answers packed into micro-batches, with the log-probabilities that a reference gave them.</summary>
public sealed class UnpairedExamples
{
    private readonly IReadOnlyList<UnpairedExample> _examples;
    private readonly Example[] _mismatched;
    private readonly PassOrder _order;
    private double[]? _reference;
    private double[]? _referenceMismatched;

    /// <summary>Packs answers.</summary>
    /// <param name="examples">At least one; of another kind than all good or all bad, or nothing is learned of the difference.</param>
    /// <param name="tokens">The most tokens per micro-batch, mismatched answers included.</param>
    /// <param name="seed">Which order they come in.</param>
    /// <param name="mismatches">Whether every prompt also comes with the answer of the next one in the data.</param>
    /// <exception cref="InvalidDataException">There are no examples, one is too long, or there are too few for mismatches.</exception>
    public UnpairedExamples(IReadOnlyList<UnpairedExample> examples, int tokens, ulong seed, bool mismatches)
    {
        ArgumentNullException.ThrowIfNull(examples);
        if (mismatches && examples.Count < 2)
            throw new InvalidDataException("The distance from the reference is estimated from the answers to other prompts; give at least two records.");
        _examples = examples;
        _mismatched = mismatches ? [.. examples.Select((e, i) => Mismatch(e.Answer, examples[(i + 1) % examples.Count].Answer))] : [];
        _order = new PassOrder([.. examples.Select((e, i) => e.Answer.TotalTokens + (mismatches ? _mismatched[i].TotalTokens : 0))], tokens, seed);
    }

    /// <summary>The number of answers.</summary>
    public int Count => _examples.Count;

    /// <summary>Micro-batches in which a number of passes come to their end.</summary>
    public long BatchesOf(long passes) => _order.BatchesOf(passes);

    /// <summary>The micro-batch of a number, from 0, without end.</summary>
    public UnpairedBatch this[long index] => Pack(_order[index]);

    /// <summary>Everything once, in order.</summary>
    public IEnumerable<UnpairedBatch> All() => _order.All().Select(Pack);

    /// <summary>Computes the reference's log-probabilities once, as <see cref="PreferenceExamples.SetReference"/>.</summary>
    /// <param name="reference">The reference: the model before it is trained.</param>
    /// <param name="precision">The precision of training.</param>
    /// <param name="cancellation">Gives up.</param>
    public void SetReference(GenerativeModel reference, Precision precision, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(reference);
        (double[] own, double[] others) = (new double[_examples.Count], new double[_mismatched.Length]);
        using Workspace w = reference.Parts.Store.NewScratch(precision);
        foreach (IReadOnlyList<int> chosen in _order.All())
        {
            cancellation.ThrowIfCancellationRequested();
            UnpairedBatch batch = Pack(chosen);
            ReadOnlySpan<float> values = HostLoss.LogProbabilities(reference, new Pass(batch.Tokens, w), batch.Targets).Values();
            for (int i = 0; i < chosen.Count; i++)
            {
                own[chosen[i]] = values[i];
                if (others.Length > 0)
                    others[chosen[i]] = values[chosen.Count + i];
            }
            w.Reset();
        }
        (_reference, _referenceMismatched) = (own, others);
    }

    private UnpairedBatch Pack(IReadOnlyList<int> chosen)
    {
        Example[] answers = [.. chosen.Select(i => _examples[i].Answer), .. _mismatched.Length == 0 ? [] : chosen.Select(i => _mismatched[i])];
        MicroBatch packed = new PackedExamples(answers, Math.Max(1, answers.Sum(a => a.TotalTokens)), 0).All().Single();
        double[] reference = _reference is null ? [] : [.. chosen.Select(i => _reference[i]), .. _mismatched.Length == 0 ? [] : chosen.Select(i => _referenceMismatched![i])];
        return new UnpairedBatch(packed.Tokens, packed.Targets, [.. chosen.Select(i => _examples[i].IsGood)], reference);
    }

    // The prompt of one example before the answer of another.
    private static Example Mismatch(Example prompt, Example answer)
    {
        int end = FirstTarget(prompt), start = FirstTarget(answer);
        return new Example(
            [.. prompt.Ids[..end], .. answer.Ids[start..]],
            [.. Enumerable.Repeat(false, end), .. Enumerable.Range(start, answer.Ids.Length - start).Select(answer.IsTarget)])
        {
            Source = prompt.Source,
        };
    }

    private static int FirstTarget(Example example) => Enumerable.Range(0, example.Ids.Length).First(example.IsTarget);
}
