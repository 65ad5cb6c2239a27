namespace Gradus.Text;

/// <summary>Added tokens while they are collected: one for each id and each text.</summary>
internal sealed class AddedTokenTable
{
    private readonly SortedDictionary<int, AddedToken> _byId = [];
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private int _next;

    /// <summary>The tokens by their ids.</summary>
    public IReadOnlyList<AddedToken> Tokens => [.. _byId.Values];

    /// <summary>The id of a text, or null.</summary>
    public int? IdOf(string content) => _ids.TryGetValue(content, out int id) ? id : null;

    /// <summary>The token with an id, or null.</summary>
    public AddedToken? Find(int id) => _byId.GetValueOrDefault(id);

    /// <summary>Takes a token with its id; it takes the place of one with the same id or text.</summary>
    public void Put(AddedToken token)
    {
        if (_byId.TryGetValue(token.Id, out AddedToken? before))
            _ids.Remove(before.Content);
        if (_ids.TryGetValue(token.Content, out int other))
            _byId.Remove(other);
        _byId[token.Id] = token;
        _next = Math.Max(_next, token.Id + 1);
        _ids[token.Content] = token.Id;
    }

    /// <summary>Takes a token that has no id yet unless its text is here: it gets its id in the vocabulary, or the next free one.</summary>
    public void Add(AddedToken token, Vocabulary vocabulary)
    {
        if (_ids.ContainsKey(token.Content))
            return;
        Put(token with { Id = vocabulary.Find(token.Content) ?? Math.Max(vocabulary.Count, _next) });
    }
}
