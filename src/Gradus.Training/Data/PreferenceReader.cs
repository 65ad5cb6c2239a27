using System.Globalization;
using Gradus.Text.Chat;
using Gradus.Training.Alignment;

namespace Gradus.Training.Data;

/// <summary>Makes examples of records of preferences, as the model's template writes them; what is too long is left out and counted.</summary>
/// <param name="reader">How conversations become tokens.</param>
/// <param name="limits">How long an answer with its prompt may be; both answers of a pair together fit a micro-batch.</param>
public sealed class PreferenceReader(SupervisedExamples reader, ExampleLimits limits)
{
    /// <summary>Records read.</summary>
    public long Records { get; private set; }

    /// <summary>Records that were left out because they are too long.</summary>
    public RecordLines TooLong { get; } = new();

    /// <summary>Records whose answers are equal, or equally good.</summary>
    public RecordLines Ties { get; } = new();

    /// <summary>The pairs of files.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="columns">The files' names of fields, and the names that they are read as; null for none.</param>
    /// <exception cref="InvalidDataException">A file or record cannot be read; the message names file and line.</exception>
    public IReadOnlyList<PreferenceExample> Pairs(IEnumerable<string> paths, IReadOnlyDictionary<string, string>? columns = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        List<PreferenceExample> pairs = [];
        foreach (DataRecord record in Read(paths, columns))
        {
            if (PreferenceRecords.Pair(record) is not { } pair)
                Ties.Add(record);
            else if (Encode(record, pair.Prompt, pair.Chosen) is not { } chosen || Encode(record, pair.Prompt, pair.Rejected) is not { } rejected || chosen.TotalTokens + rejected.TotalTokens > limits.BatchTokens)
                TooLong.Add(record);
            else if (chosen.Ids.SequenceEqual(rejected.Ids))
                Ties.Add(record);
            else
                pairs.Add(new PreferenceExample(chosen, rejected) { Margin = pair.Margin });
        }
        return pairs;
    }

    /// <summary>The labelled answers of files.</summary>
    /// <inheritdoc cref="Pairs"/>
    public IReadOnlyList<UnpairedExample> Labelled(IEnumerable<string> paths, IReadOnlyDictionary<string, string>? columns = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        List<UnpairedExample> answers = [];
        foreach (DataRecord record in Read(paths, columns))
        {
            foreach (LabelledAnswer labelled in PreferenceRecords.Labelled(record))
            {
                if (Encode(record, labelled.Prompt, labelled.Answer) is { } example)
                    answers.Add(new UnpairedExample(example, labelled.IsGood));
                else
                    TooLong.Add(record);
            }
        }
        return answers;
    }

    /// <summary>A prompt with an answer; null where it is too long.</summary>
    internal Example? Encode(DataRecord record, IReadOnlyList<ChatMessage> prompt, IReadOnlyList<ChatMessage> answer)
    {
        Example example = reader.Encode(record, new ChatConversation([.. prompt, .. answer]), prompt.Count);
        return example.TotalTokens <= limits.Tokens ? example : null;
    }

    /// <summary>What a person should know of it, a sentence each.</summary>
    public IEnumerable<string> Notes()
    {
        if (TooLong.Count > 0)
            yield return string.Create(CultureInfo.InvariantCulture, $"{TooLong.Count:N0} longer than {limits.Tokens:N0} tokens left out ({TooLong}); raise max_length or batch_tokens");
        if (Ties.Count > 0)
            yield return string.Create(CultureInfo.InvariantCulture, $"{Ties.Count:N0} with equal answers left out ({Ties})");
    }

    private IEnumerable<DataRecord> Read(IEnumerable<string> paths, IReadOnlyDictionary<string, string>? columns)
    {
        foreach (DataRecord record in paths.SelectMany(p => TextFiles.Records(p, columns)))
        {
            Records++;
            yield return record;
        }
    }
}
