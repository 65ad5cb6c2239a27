using Gradus.Generation.Structure;
using Gradus.Text;

namespace Gradus.Clients;

/// <summary>Grammars by their source, and vocabularies by the special tokens that they write: with both a grammar's masks are kept from request to request.</summary>
public sealed class GrammarCache
{
    private const int MostGrammars = 64;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Grammar> _grammars = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TokenBytes> _vocabularies = new(StringComparer.Ordinal);

    /// <summary>The grammar of a source.</summary>
    /// <param name="key">The kind and the source.</param>
    /// <param name="make">Makes it.</param>
    /// <exception cref="StructureException">It cannot be compiled.</exception>
    public Grammar Get(string key, Func<Grammar> make)
    {
        ArgumentNullException.ThrowIfNull(make);
        lock (_lock)
        {
            if (_grammars.TryGetValue(key, out Grammar? known))
                return known;
        }
        Grammar grammar = make();
        lock (_lock)
        {
            if (_grammars.Count >= MostGrammars)
                _grammars.Clear();
            return _grammars.TryGetValue(key, out Grammar? meanwhile) ? meanwhile : _grammars[key] = grammar;
        }
    }

    /// <summary>The bytes of a vocabulary in which some special tokens are written out.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="written">The special tokens.</param>
    public TokenBytes Vocabulary(Tokenizer tokenizer, IReadOnlySet<int> written)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(written);
        string key = string.Join(',', written.Order());
        lock (_lock)
            return _vocabularies.TryGetValue(key, out TokenBytes? known) ? known : _vocabularies[key] = new TokenBytes(tokenizer.TokenTexts(written));
    }
}
