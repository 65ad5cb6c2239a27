using System.Collections.Concurrent;
using Gradus.Generation.Structure;

namespace Gradus.Server.Inference;

/// <summary>Grammars that requests have used, by their sources: compiled once, and with their masks for as long as they are kept.</summary>
/// <param name="capacity">The most that are kept.</param>
internal sealed class GrammarCache(int capacity = 128)
{
    private readonly ConcurrentDictionary<string, Lazy<Grammar>> _grammars = new(StringComparer.Ordinal);

    /// <summary>The grammar of a source.</summary>
    /// <exception cref="StructureException">It cannot be compiled.</exception>
    public Grammar Get(string source, Func<Grammar> compile)
    {
        if (_grammars.Count >= capacity && !_grammars.ContainsKey(source))
            _grammars.Clear();
        Lazy<Grammar> grammar = _grammars.GetOrAdd(source, _ => new Lazy<Grammar>(compile));
        try
        {
            return grammar.Value;
        }
        catch (StructureException)
        {
            _grammars.TryRemove(source, out _);
            throw;
        }
    }
}
