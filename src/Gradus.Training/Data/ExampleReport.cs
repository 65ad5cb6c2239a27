using System.Globalization;

namespace Gradus.Training.Data;

/// <summary>The examples of files, and what happened to the records that gave none or others than they were.</summary>
/// <param name="limits">The limits that were kept.</param>
public sealed class ExampleReport(ExampleLimits limits)
{
    private readonly List<Example> _examples = [];
    private readonly SortedDictionary<string, long> _unread = new(StringComparer.Ordinal);

    /// <summary>The examples, in the order of the records.</summary>
    public IReadOnlyList<Example> Examples => _examples;

    /// <summary>Records read.</summary>
    public long Records { get; internal set; }

    /// <summary>Tokens of all examples, those of sources included.</summary>
    public long Tokens { get; private set; }

    /// <summary>Tokens that are learned.</summary>
    public long Targets { get; private set; }

    /// <summary>Records that were left out because they are too long.</summary>
    public RecordLines TooLong { get; } = new();

    /// <summary>Records that were cut or split.</summary>
    public RecordLines Shortened { get; } = new();

    /// <summary>Records that were left out because nothing in them is learned.</summary>
    public RecordLines WithoutAnswer { get; } = new();

    /// <summary>Records with an empty answer, which is not learned, beside others that are.</summary>
    public RecordLines EmptyAnswers { get; } = new();

    /// <summary>Fields that nothing reads, each with the number of its records.</summary>
    public IReadOnlyDictionary<string, long> Unread => _unread;

    /// <summary>The end of text that was put behind answers because the template ends them with none, or null.</summary>
    public string? EndAdded { get; internal set; }

    /// <summary>Whether the template's generation marks leave out the token that ends an answer; it is learned all the same.</summary>
    public bool EndOutsideMarks { get; internal set; }

    /// <summary>Whether neither template nor tokenizer has a token that ends an answer.</summary>
    public bool NoEnd { get; internal set; }

    /// <summary>What a person should know of it, a sentence each.</summary>
    public IEnumerable<string> Notes()
    {
        string limit = limits.Tokens.ToString("N0", CultureInfo.InvariantCulture);
        if (TooLong.Count > 0)
            yield return $"{TooLong.Count:N0} longer than {limit} tokens left out ({TooLong}){(limits.TooLong == Data.TooLong.Drop ? "; raise max_length or batch_tokens, or set too_long to keep_answer or split" : "")}";
        if (Shortened.Count > 0)
            yield return $"{Shortened.Count:N0} longer than {limit} tokens {(limits.TooLong == Data.TooLong.Split ? "split" : "cut at their beginning")} ({Shortened})";
        if (WithoutAnswer.Count > 0)
            yield return $"{WithoutAnswer.Count:N0} without anything to learn left out ({WithoutAnswer})";
        if (EmptyAnswers.Count > 0)
            yield return $"{EmptyAnswers.Count:N0} with an empty answer, which is not learned ({EmptyAnswers})";
        if (_unread.Count > 0)
            yield return $"fields that are not read: {string.Join(", ", _unread.Select(f => $"{f.Key} ({f.Value:N0})"))}";
        if (EndAdded is not null)
            yield return $"warning: the chat template ends an answer with no end token; {EndAdded} is learned behind the last answer of each conversation";
        if (EndOutsideMarks)
            yield return "warning: the chat template's generation marks leave out the token that ends an answer; it is learned all the same";
        if (NoEnd)
            yield return "warning: neither the chat template nor the tokenizer has a token that ends an answer; the model will not learn to stop";
    }

    internal void Add(IReadOnlyCollection<Example> examples)
    {
        _examples.AddRange(examples);
        foreach (Example example in examples)
        {
            Tokens += example.TotalTokens;
            for (int i = 1; i < example.Ids.Length; i++)
                Targets += example.IsTarget(i) ? 1 : 0;
        }
    }

    internal void NoteUnread(IEnumerable<string> fields)
    {
        foreach (string field in fields)
            _unread[field] = _unread.GetValueOrDefault(field) + 1;
    }
}

/// <summary>Records that something happened to, by file and line.</summary>
public sealed class RecordLines
{
    private const int Shown = 5;
    private readonly List<(string File, long Line)> _first = [];

    /// <summary>How many there are.</summary>
    public long Count { get; private set; }

    /// <summary>The first of them: <c>a.jsonl: lines 3, 8 and 4 more</c>.</summary>
    public override string ToString()
    {
        string first = string.Join("; ", _first.GroupBy(r => r.File).Select(f => $"{f.Key}: line{(f.Count() > 1 ? "s" : "")} {string.Join(", ", f.Select(r => r.Line))}"));
        return Count > _first.Count ? $"{first} and {Count - _first.Count:N0} more" : first;
    }

    internal void Add(DataRecord record)
    {
        Count++;
        if (_first.Count < Shown)
            _first.Add((Path.GetFileName(record.Path), record.Line));
    }
}
