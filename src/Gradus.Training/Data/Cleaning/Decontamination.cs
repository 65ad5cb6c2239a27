namespace Gradus.Training.Data.Cleaning;

/// <summary>
/// Finds documents that hold parts of evaluation sets: n-grams of normalized words of the answers, over the border of question and answer, and, if asked
/// for, of the questions (GPT-3's appendix C with 13 words; here datatrove's 12). Filled by one thread, then asked by many.
/// </summary>
/// <param name="Ngrams">Words of an n-gram, ≥ 1.</param>
/// <param name="OfQueries">Look for n-grams of the questions.</param>
/// <param name="Overlapping">Look for n-grams over the border of question and answer.</param>
public sealed record Decontamination(int Ngrams = 12, bool OfQueries = false, bool Overlapping = true)
{
    private readonly Dictionary<ulong, string> _index = [];

    /// <summary>How n-grams are hashed.</summary>
    public Fingerprint Fingerprint { get; init; } = new(FingerprintKind.XxHash, 64);

    /// <summary>How text is normalized.</summary>
    public TextNormalization Normalization { get; init; } = new();

    /// <summary>Adds an item of an evaluation set; an n-gram of several sets belongs to the one added last.</summary>
    /// <param name="task">The set.</param>
    /// <param name="label">The answer.</param>
    /// <param name="query">The question, or null.</param>
    public void Add(string task, string label, string? query)
    {
        foreach (ulong hash in Hashes(label, query))
            _index[hash] = task;
    }

    /// <summary>The first n-gram of a text that an evaluation set has, and the set; null where there is none.</summary>
    /// <param name="text">The text.</param>
    public (string Ngram, string Task)? Find(string text)
    {
        string normalized = Normalization.Apply(text);
        List<ulong> hashes = MinHash.Hashes(normalized, Ngrams, Fingerprint);
        for (int i = 0; i < hashes.Count; i++)
        {
            if (_index.TryGetValue(hashes[i], out string? task))
                return (string.Join(' ', Words(normalized).Skip(i).Take(Ngrams)), task);
        }
        return null;
    }

    /// <summary>The hashes of an item: of the answer, of the question, over their border.</summary>
    internal List<ulong> Hashes(string label, string? query)
    {
        string[] answer = Words(Normalization.Apply(label)), question = query is null ? [] : Words(Normalization.Apply(query));
        List<ulong> hashes = [.. Of(answer)];
        if (query is null)
            return hashes;
        if (OfQueries)
            hashes.AddRange(Of(question));
        for (int i = 0; Overlapping && i < Ngrams - 1; i++)
        {
            if (question.Length >= Ngrams - 1 - i && answer.Length >= i + 1)
                hashes.Add(Fingerprint.Of(string.Join(' ', question[^(Ngrams - 1 - i)..].Concat(answer[..(i + 1)]))));
        }
        return hashes;

        IEnumerable<ulong> Of(string[] words) => Enumerable.Range(0, Math.Max(0, words.Length - Ngrams + 1)).Select(i => Fingerprint.Of(string.Join(' ', words, i, Ngrams)));
    }

    private static string[] Words(string text)
    {
        List<TextPart> words = [];
        TextUnits.Words(text, words);
        return [.. words.Select(w => text[w.Start..w.End])];
    }
}
