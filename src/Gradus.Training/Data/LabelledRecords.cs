using System.Globalization;
using System.Text.Json;
using Gradus.Models;
using Gradus.Text;

namespace Gradus.Training.Data;

/// <summary>What a model with a head is to tell of a text.</summary>
public enum TaskKind
{
    /// <summary>One class of several.</summary>
    Classes,

    /// <summary>Any number of labels.</summary>
    Labels,

    /// <summary>A number, or several.</summary>
    Numbers,

    /// <summary>A tag for every word.</summary>
    Tags,

    /// <summary>Where in a text the answer to a question stands.</summary>
    Answers,
}

/// <summary>The fields of labelled records.</summary>
/// <param name="Kind">What is to be told.</param>
/// <param name="Text">The text; of tags a list of words; of answers the question.</param>
/// <param name="Pair">A second text behind the first, of answers the one that holds them; empty for none.</param>
/// <param name="Label">
/// The class, the list of labels, the number or numbers, the list of tags, or the answers: SQuAD's <c>{"text": […], "answer_start": […]}</c>, or a list of
/// such objects; the first counts.
/// </param>
public sealed record LabelledFields(TaskKind Kind, string Text, string Pair, string Label);

/// <summary>Reads labelled records, for the heads of tasks.</summary>
/// <param name="fields">The fields.</param>
/// <param name="tokenizer">The model's tokenizer.</param>
/// <param name="limit">The most tokens of an example; longer texts are cut at their end.</param>
public sealed class LabelledRecords(LabelledFields fields, Tokenizer tokenizer, int limit)
{
    /// <summary>How many texts were cut so far.</summary>
    public int Cut { get; private set; }

    /// <summary>Answers that lie where their text was cut, so far.</summary>
    public int LostAnswers { get; private set; }

    /// <summary>The classes, labels or tags that records name, in the order of their names; numbers in their own, from 0 to the largest.</summary>
    /// <exception cref="InvalidDataException">A record has no label, or one that cannot be understood.</exception>
    public LabelSet LabelsOf(IEnumerable<DataRecord> records)
    {
        ArgumentNullException.ThrowIfNull(records);
        if (fields.Kind == TaskKind.Answers)
            return LabelSet.Default;
        if (fields.Kind == TaskKind.Numbers)
            return LabelSet.OfCount(records.Take(1).Select(r => Numbers(r).Length).DefaultIfEmpty(1).First(), ProblemType.Regression);
        HashSet<string> names = [.. records.SelectMany(Names)];
        ProblemType? problem = fields.Kind switch
        {
            TaskKind.Labels => ProblemType.MultiLabelClassification,
            TaskKind.Classes => ProblemType.SingleLabelClassification,
            _ => null,
        };
        const int most = 100_000;
        int[] numbers = [.. names.Select(n => int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number < most ? number : -1)];
        return numbers.Length > 0 && numbers.All(n => n >= 0)
            ? LabelSet.OfCount(numbers.Max() + 1, problem)
            : new LabelSet([.. names.Order(StringComparer.Ordinal)], problem);
    }

    /// <summary>The examples of records.</summary>
    /// <param name="records">The records.</param>
    /// <param name="labels">The classes by their names, or by their numbers where they have none.</param>
    /// <exception cref="InvalidDataException">A record cannot be read; the message names file and line.</exception>
    public IEnumerable<LabelledExample> Read(IEnumerable<DataRecord> records, LabelSet labels)
    {
        ArgumentNullException.ThrowIfNull(records);
        ArgumentNullException.ThrowIfNull(labels);
        Dictionary<string, int> numbers = labels.Names.Select((name, i) => (name, i)).ToDictionary(l => l.name, l => l.i, StringComparer.Ordinal);
        for (int i = 0; i < labels.Count; i++)
            numbers.TryAdd(i.ToString(CultureInfo.InvariantCulture), i);
        foreach (DataRecord record in records)
        {
            LabelledExample? example = fields.Kind switch
            {
                TaskKind.Tags => Tagged(record, numbers),
                TaskKind.Answers => Answered(record),
                _ => Whole(record, numbers, labels.Count),
            };
            if (example is not null)
                yield return example;
        }
    }

    private LabelledExample Whole(DataRecord record, Dictionary<string, int> numbers, int count)
    {
        (TokenEncoding encoding, _) = Encode(record);
        LabelledExample example = new(encoding.Ids) { TokenTypes = TypesOf(encoding) };
        switch (fields.Kind)
        {
            case TaskKind.Classes:
                return example with { Classes = [Number(record, Names(record)[0], numbers)] };
            case TaskKind.Labels:
                float[] labels = new float[count];
                foreach (string name in Names(record))
                    labels[Number(record, name, numbers)] = 1;
                return example with { Numbers = labels };
            default:
                float[] given = Numbers(record);
                return given.Length == count
                    ? example with { Numbers = given }
                    : throw record.Wrong($"the field \"{fields.Label}\" has {given.Length} numbers, but the first record has {count}.");
        }
    }

    private (TokenEncoding Encoding, bool Cut) Encode(DataRecord record)
    {
        string first = record.Text(fields.Text);
        string? second = fields.Pair.Length > 0 ? record.Text(fields.Pair) : null;
        // Of a question and its text the text is cut.
        Truncation truncation = new(limit, fields.Kind == TaskKind.Answers ? TruncationStrategy.OnlySecond : TruncationStrategy.LongestFirst);
        TokenEncoding whole = second is null ? tokenizer.EncodeWithOffsets(first) : tokenizer.EncodePair(first, second);
        if (whole.Length == 0)
            throw record.Wrong($"the field \"{fields.Text}\" has no text; leave the record out.");
        if (whole.Length <= limit)
            return (whole, false);
        Cut++;
        try
        {
            return (second is null ? tokenizer.EncodeWithOffsets(first, truncation: truncation) : tokenizer.EncodePair(first, second, truncation: truncation), true);
        }
        catch (ArgumentException e)
        {
            throw record.Wrong($"the text cannot be cut to {limit} tokens ({e.Message}); raise max_length, or leave the record out.");
        }
    }

    // The first token of a word has its tag, the others none.
    private LabelledExample Tagged(DataRecord record, Dictionary<string, int> numbers)
    {
        string[] words = Items(record, fields.Text), tags = Items(record, fields.Label);
        if (words.Length != tags.Length)
            throw record.Wrong($"{words.Length} words in \"{fields.Text}\", but {tags.Length} tags in \"{fields.Label}\".");
        int[] starts = new int[words.Length];
        for (int i = 1; i < words.Length; i++)
            starts[i] = starts[i - 1] + words[i - 1].Length + 1;
        TokenEncoding encoding = tokenizer.EncodeWithOffsets(string.Join(' ', words));
        if (encoding.Length > limit)
        {
            Cut++;
            encoding = tokenizer.EncodeWithOffsets(string.Join(' ', words), truncation: new Truncation(limit));
        }
        int[] classes = new int[encoding.Length];
        int last = -1;
        for (int i = 0; i < classes.Length; i++)
        {
            classes[i] = MicroBatch.Ignored;
            if (encoding.SpecialTokensMask[i] == 1 || encoding.Offsets[i].End == encoding.Offsets[i].Start)
                continue;
            // A token may begin with the space before its word.
            int word = Array.BinarySearch(starts, encoding.Offsets[i].End - 1);
            word = word < 0 ? ~word - 1 : word;
            if (word != last)
                classes[i] = Number(record, tags[word], numbers);
            last = word;
        }
        return new LabelledExample(encoding.Ids) { Classes = classes, TokenTypes = TypesOf(encoding) };
    }

    private LabelledExample? Answered(DataRecord record)
    {
        if (fields.Pair.Length == 0)
            throw record.Wrong("an answer stands in a second text; name its field (task.pair).");
        (TokenEncoding encoding, _) = Encode(record);
        (string text, int start) = Answer(record);
        string context = record.Text(fields.Pair);
        if (start < 0)
            return new LabelledExample(encoding.Ids) { TokenTypes = TypesOf(encoding), Span = (0, 0) };
        if (start > context.Length - text.Length || !context.AsSpan(start).StartsWith(text, StringComparison.Ordinal))
            throw record.Wrong($"the answer \"{text}\" does not stand at {start} of the field \"{fields.Pair}\".");
        int first = -1, last = -1;
        for (int i = 0; i < encoding.Length; i++)
        {
            if (encoding.SequenceIds[i] != 1 || encoding.Offsets[i].End <= start || encoding.Offsets[i].Start >= start + text.Length)
                continue;
            first = first < 0 ? i : first;
            last = i;
        }
        if (first >= 0 && encoding.Offsets[last].End >= start + text.Length)
            return new LabelledExample(encoding.Ids) { TokenTypes = TypesOf(encoding), Span = (first, last) };
        LostAnswers++;
        return null;
    }

    // The first answer and where it begins, in UTF-16 units; −1 where there is none.
    private (string Text, int Start) Answer(DataRecord record)
    {
        if (!record.Has(fields.Label))
            throw record.Wrong($"the field \"{fields.Label}\" is missing or null.");
        JsonElement value = record.Json.GetProperty(fields.Label);
        if (value.ValueKind == JsonValueKind.Array)
        {
            if (value.GetArrayLength() == 0)
                return ("", -1);
            value = value[0];
        }
        if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty("text", out JsonElement text) || !value.TryGetProperty("answer_start", out JsonElement start))
            throw record.Wrong($"the field \"{fields.Label}\" has no text and answer_start.");
        if (text.ValueKind == JsonValueKind.Array && start.ValueKind == JsonValueKind.Array)
        {
            if (text.GetArrayLength() == 0 || start.GetArrayLength() == 0)
                return ("", -1);
            (text, start) = (text[0], start[0]);
        }
        return text.ValueKind == JsonValueKind.String && start.ValueKind == JsonValueKind.Number && start.TryGetInt32(out int at) && at >= 0
            ? (text.GetString()!, at)
            : throw record.Wrong($"the field \"{fields.Label}\" has no text and the number where it begins.");
    }

    private string[] Names(DataRecord record) => fields.Kind == TaskKind.Classes ? [record.Text(fields.Label)] : Items(record, fields.Label);

    private float[] Numbers(DataRecord record)
    {
        string[] items = record.Has(fields.Label) && record.Json.GetProperty(fields.Label).ValueKind == JsonValueKind.Array ? Items(record, fields.Label) : [record.Text(fields.Label)];
        return [.. items.Select(i => float.TryParse(i, NumberStyles.Float, CultureInfo.InvariantCulture, out float number) && float.IsFinite(number)
            ? number
            : throw record.Wrong($"the field \"{fields.Label}\" holds \"{i}\", which is no number."))];
    }

    private static string[] Items(DataRecord record, string field)
    {
        JsonElement value = record.Has(field) ? record.Json.GetProperty(field) : throw record.Wrong($"the field \"{field}\" is missing or null; the record has {record.Fields()}.");
        return value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(v => v.ValueKind == JsonValueKind.String ? v.GetString()! : v.GetRawText())]
            : throw record.Wrong($"the field \"{field}\" is not a list.");
    }

    private int Number(DataRecord record, string name, Dictionary<string, int> numbers) => numbers.TryGetValue(name, out int number)
        ? number
        : throw record.Wrong($"the label \"{name}\" is none of those of the training data: {string.Join(", ", numbers.Keys.Take(12))}.");

    private static int[]? TypesOf(TokenEncoding encoding) => Array.TrueForAll(encoding.TypeIds, t => t == 0) ? null : encoding.TypeIds;
}
