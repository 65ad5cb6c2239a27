using System.Numerics;

namespace Gradus.Generation.Structure;

/// <summary>
/// One sequence that follows a grammar: which tokens may come next, and what was written so far. The text is always completed within
/// the budget: near its end only tokens are allowed from where an end can still be reached. Belongs to one thread at a time.
/// </summary>
public sealed class GrammarMatcher : TokenConstraint
{
    private readonly Grammar _grammar;
    private readonly TokenMasks _masks;
    private readonly int[] _endTokens;
    private readonly ulong[] _limited;

    // A completion that fits, from the present state on; null where the shortest one is known to fit.
    private int[]? _witness;
    private int _state = GrammarAutomaton.Start;

    /// <summary>A sequence at its beginning.</summary>
    /// <param name="grammar">What it must look like.</param>
    /// <param name="tokens">The vocabulary.</param>
    /// <param name="endTokens">The tokens that end a text; they are allowed where it may end.</param>
    /// <param name="maxTokens">The most tokens the text may have, end tokens not among them.</param>
    /// <exception cref="StructureException">The vocabulary cannot write such a text, or not with so few tokens.</exception>
    public GrammarMatcher(Grammar grammar, TokenBytes tokens, IReadOnlyList<int> endTokens, int maxTokens = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(grammar);
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(endTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(maxTokens);
        _grammar = grammar;
        _masks = grammar.MasksOf(tokens);
        _endTokens = [.. endTokens];
        _limited = new ulong[(tokens.Count + 63) / 64];
        Remaining = maxTokens;
        lock (grammar.Lock)
        {
            int fewest = maxTokens == int.MaxValue && tokens.WritesEveryByte ? 0 : _masks.Fewest(_state);
            if (fewest == int.MaxValue)
                throw new StructureException("The vocabulary has no tokens that write a text of this grammar; it lacks some characters.");
            if (fewest > maxTokens)
                throw new StructureException($"A text of this grammar needs at least {fewest} tokens, but there may be only {maxTokens}; allow more.");
        }
    }

    /// <summary>How many more tokens the text may have.</summary>
    public int Remaining { get; private set; }

    /// <summary>Whether the text may end here.</summary>
    public bool MayEnd
    {
        get
        {
            lock (_grammar.Lock)
                return _grammar.Automaton.Accepts(_state);
        }
    }

    /// <summary>Whether nothing can follow: the text is complete.</summary>
    public bool IsComplete => MayEnd && Allowed().Count == 0;

    /// <summary>The tokens that may come next: a bit for each id, without the end tokens. Valid until the sequence goes on.</summary>
    /// <returns>The bits, and how many are set (a lower bound of 1 where there are many).</returns>
    public (ReadOnlyMemory<ulong> Bits, int Count) Allowed()
    {
        lock (_grammar.Lock)
        {
            if (Remaining == 0)
            {
                _limited.AsSpan().Clear();
                return (_limited, 0);
            }
            TokenMask mask = _masks.Of(_state);
            if (_masks.Tokens.WritesEveryByte && mask.MostAfter <= Remaining - 1)
                return (mask.Bits, mask.Bits.AsSpan().ContainsAnyExcept(0UL) ? 1 : 0);
            int count = _masks.Limited(_state, Remaining - 1, _limited);
            if ((_witness ??= _masks.Completion(_state)) is [int first, ..] && (_limited[first >> 6] & (1UL << (first & 63))) == 0)
            {
                _limited[first >> 6] |= 1UL << (first & 63);
                count++;
            }
            return (_limited, count);
        }
    }

    /// <inheritdoc/>
    public override void Prepare() => Allowed();

    /// <inheritdoc/>
    public override void Mask(Span<float> logits)
    {
        ReadOnlySpan<ulong> bits = Allowed().Bits.Span;
        bool mayEnd = MayEnd;
        Span<float> kept = stackalloc float[16];
        int ends = Math.Min(_endTokens.Length, kept.Length);
        for (int i = 0; i < ends; i++)
            kept[i] = mayEnd && (uint)_endTokens[i] < (uint)logits.Length ? logits[_endTokens[i]] : float.NegativeInfinity;
        for (int word = 0; word << 6 < logits.Length; word++)
        {
            ulong allowed = word < bits.Length ? bits[word] : 0;
            Span<float> part = logits[(word << 6)..Math.Min((word + 1) << 6, logits.Length)];
            if (allowed == 0)
            {
                part.Fill(float.NegativeInfinity);
                continue;
            }
            for (ulong forbidden = ~allowed; forbidden != 0; forbidden &= forbidden - 1)
            {
                int i = BitOperations.TrailingZeroCount(forbidden);
                if (i >= part.Length)
                    break;
                part[i] = float.NegativeInfinity;
            }
        }
        for (int i = 0; i < ends; i++)
        {
            if ((uint)_endTokens[i] < (uint)logits.Length)
                logits[_endTokens[i]] = kept[i];
        }
    }

    /// <summary>Whether a token may come next.</summary>
    /// <param name="token">Its id; an end token may where the text may end.</param>
    public bool Allows(int token)
    {
        if (_endTokens.Contains(token))
            return MayEnd;
        ReadOnlySpan<ulong> bits = Allowed().Bits.Span;
        return (uint)token < (uint)(bits.Length << 6) && (bits[token >> 6] & (1UL << (token & 63))) != 0;
    }

    /// <summary>Goes on by a token.</summary>
    /// <param name="token">Its id, one that may come next; an end token changes nothing.</param>
    /// <exception cref="ArgumentException">The token may not come next.</exception>
    public override void Accept(int token)
    {
        if (_endTokens.Contains(token) && MayEnd)
            return;
        // Near the end of the budget it counts whether the token follows the completion that is known to fit.
        if (_witness is null && Remaining != int.MaxValue)
            Allowed();
        if ((uint)token >= (uint)_masks.Tokens.Count || Remaining == 0)
            throw new ArgumentException($"Token {token} may not come next in this grammar.");
        lock (_grammar.Lock)
        {
            int next = _masks.Tokens[token].Length == 0 ? GrammarAutomaton.Dead : _masks.After(_state, _masks.Tokens[token]);
            if (next == GrammarAutomaton.Dead)
                throw new ArgumentException($"Token {token} may not come next in this grammar.");
            _witness = _witness is [int first, ..] && first == token ? _witness[1..] : null;
            _state = next;
            Remaining = Remaining == int.MaxValue ? Remaining : Remaining - 1;
        }
    }

    /// <summary>The text that must come next, whatever the model wants: empty where there is a choice.</summary>
    /// <param name="maxBytes">Where it stops at the latest.</param>
    public byte[] ForcedText(int maxBytes = 256)
    {
        List<byte> text = [];
        lock (_grammar.Lock)
        {
            GrammarAutomaton automaton = _grammar.Automaton;
            for (int state = _state; text.Count < maxBytes && !automaton.Accepts(state);)
            {
                if (OnlyByte(automaton, state) is not { } only)
                    break;
                text.Add(only);
                state = automaton.Next(state, only);
            }
        }
        return [.. text];
    }

    private static byte? OnlyByte(GrammarAutomaton automaton, int state)
    {
        byte? only = null;
        for (int b = 0; b < 256; b++)
        {
            if (automaton.Next(state, (byte)b) == GrammarAutomaton.Dead)
                continue;
            if (only is not null)
                return null;
            only = (byte)b;
        }
        return only;
    }
}
