using System.Runtime.InteropServices;

namespace Gradus.Generation;

/// <summary>A token and how probable it is.</summary>
/// <param name="Id">The token.</param>
/// <param name="LogProbability">log p, in nats.</param>
public readonly record struct TokenScore(int Id, float LogProbability);

/// <summary>Log-probabilities of consecutive tokens under the model itself, before any step, and the most probable tokens beside each.</summary>
/// <param name="capacity">Tokens at most: a list of as many never grows.</param>
/// <param name="alternatives">The most probable tokens wanted beside each.</param>
internal sealed class TokenScores(int capacity, int alternatives)
{
    private readonly List<float> _values = new(capacity);
    private readonly List<TokenScore> _alternatives = [];

    public int Count => _values.Count;

    public ReadOnlySpan<float> Values => CollectionsMarshal.AsSpan(_values);

    /// <summary>The most probable tokens in the place of one, the most probable first.</summary>
    public ReadOnlySpan<TokenScore> Alternatives(int index) => CollectionsMarshal.AsSpan(_alternatives).Slice(index * alternatives, alternatives);

    /// <summary>Notes a token and its alternatives.</summary>
    /// <param name="logits">(V): the model's scores.</param>
    /// <param name="token">The token.</param>
    /// <param name="scratch">Working memory.</param>
    /// <exception cref="InvalidOperationException">The scores are not numbers.</exception>
    public void Add(ReadOnlySpan<float> logits, int token, LogitsScratch scratch)
    {
        double total = Distribution.LogSumExp(logits, scratch);
        if (double.IsNaN(total))
            throw new InvalidOperationException("The model's scores are not numbers; its weights are broken, or numbers overflowed.");
        _values.Add((float)(logits[token] - total));
        if (alternatives == 0)
            return;
        float least = Selection.KthLargest(logits, alternatives, scratch);
        int first = _alternatives.Count, equal = alternatives;
        foreach (float logit in logits)
            equal -= logit > least ? 1 : 0;
        for (int id = 0; id < logits.Length && _alternatives.Count - first < alternatives; id++)
        {
            // Of those that are as probable as the last one the first count.
            if (logits[id] > least || (logits[id] == least && equal-- > 0))
                _alternatives.Add(new TokenScore(id, (float)(logits[id] - total)));
        }
        CollectionsMarshal.AsSpan(_alternatives)[first..].Sort(static (a, b) =>
            a.LogProbability != b.LogProbability ? b.LogProbability.CompareTo(a.LogProbability) : a.Id.CompareTo(b.Id));
    }
}
