using System.Text;
using Gradus.Generation;
using Gradus.Generation.Structure;

namespace Gradus.Server.Inference;

/// <summary>A structure that holds from the end of the reasoning on; reasoning itself is free, but does not end the text.</summary>
/// <param name="make">Makes the structure's constraint for so many tokens.</param>
/// <param name="tokens">What tokens write.</param>
/// <param name="endTokens">Tokens that end a text.</param>
/// <param name="maxTokens">The most tokens of reasoning and answer together.</param>
internal sealed class ReasonedConstraint(Func<int, TokenConstraint> make, TokenBytes tokens, IReadOnlyList<int> endTokens, int maxTokens) : TokenConstraint
{
    private static readonly byte[] Close = Encoding.UTF8.GetBytes(AnswerText.ReasoningClose);
    private readonly List<byte> _tail = [];
    private TokenConstraint? _answer;
    private int _used;

    /// <inheritdoc/>
    public override void Prepare() => _answer?.Prepare();

    /// <inheritdoc/>
    public override void Mask(Span<float> logits)
    {
        if (_answer is not null)
        {
            _answer.Mask(logits);
            return;
        }
        foreach (int end in endTokens)
        {
            if ((uint)end < (uint)logits.Length)
                logits[end] = float.NegativeInfinity;
        }
    }

    /// <inheritdoc/>
    public override void Accept(int token)
    {
        if (_answer is not null)
        {
            _answer.Accept(token);
            return;
        }
        _used++;
        _tail.AddRange((uint)token < (uint)tokens.Count ? tokens[token] : []);
        if (System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_tail).IndexOf(Close) >= 0)
            _answer = make(Math.Max(0, maxTokens - _used));
        else if (_tail.Count > 4 * Close.Length)
            _tail.RemoveRange(0, _tail.Count - Close.Length);
    }
}
