using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure;

/// <summary>
/// What a generated text must look like: JSON, a JSON Schema, a regular expression, one of some choices, or a grammar in llama.cpp's
/// notation. Made once, then used for any number of sequences and vocabularies, from any number of threads.
/// </summary>
public sealed partial class Grammar
{
    private readonly GrammarAutomaton _automaton;
    private readonly Lock _lock = new();
    private readonly System.Runtime.CompilerServices.ConditionalWeakTable<TokenBytes, TokenMasks> _masks = [];

    internal Grammar(Lexer lexer, GrammarNodes nodes, Nonterminal root, int stringCharacter = RegexStore.Empty)
    {
        _automaton = new GrammarAutomaton(lexer, nodes, root);
        StringCharacter = stringCharacter;
    }

    /// <summary>The expression of one character of a JSON string; empty where the grammar has no such strings.</summary>
    internal int StringCharacter { get; }

    internal GrammarAutomaton Automaton => _automaton;

    /// <summary>Held while the automaton is used.</summary>
    internal Lock Lock => _lock;

    /// <summary>Whether a text is one of the grammar's.</summary>
    /// <param name="utf8">The whole text.</param>
    public bool Matches(ReadOnlySpan<byte> utf8)
    {
        lock (_lock)
            return After(utf8) is var state && state != GrammarAutomaton.Dead && _automaton.Accepts(state);
    }

    /// <summary>Whether a text of the grammar begins so.</summary>
    /// <param name="utf8">The beginning; it may end inside a character.</param>
    public bool IsBeginning(ReadOnlySpan<byte> utf8)
    {
        lock (_lock)
            return After(utf8) != GrammarAutomaton.Dead;
    }

    /// <summary>A shortest text of the grammar.</summary>
    public byte[] ShortestText()
    {
        lock (_lock)
            return _automaton.ShortestText(GrammarAutomaton.Start);
    }

    /// <summary>The fewest tokens of a vocabulary that are known to write a text of the grammar; <see cref="int.MaxValue"/> where it can write none.</summary>
    /// <param name="tokens">The vocabulary.</param>
    public int FewestTokens(TokenBytes tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        lock (_lock)
            return MasksOf(tokens).Fewest(GrammarAutomaton.Start);
    }

    private int After(ReadOnlySpan<byte> utf8)
    {
        int state = GrammarAutomaton.Start;
        foreach (byte b in utf8)
        {
            state = _automaton.Next(state, b);
            if (state == GrammarAutomaton.Dead)
                break;
        }
        return state;
    }

    /// <summary>The masks of a vocabulary; kept as long as the vocabulary is.</summary>
    internal TokenMasks MasksOf(TokenBytes tokens)
    {
        lock (_lock)
            return _masks.GetValue(tokens, t => new TokenMasks(this, t));
    }
}
