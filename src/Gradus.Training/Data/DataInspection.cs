using Gradus.Text;
using Gradus.Training.Data.Cleaning;

namespace Gradus.Training.Data;

/// <summary>A piece of an example: text, and whether it is learned.</summary>
/// <param name="Text">The text of one token.</param>
/// <param name="Learned">Whether predicting it counts.</param>
public readonly record struct SeenToken(string Text, bool Learned);

/// <summary>What a file of data holds, and what a training would see of it.</summary>
/// <param name="Records">Records, or documents of plain text.</param>
/// <param name="Fields">The fields of the records and how many have them.</param>
/// <param name="Duplicates">Records that say the same as an earlier one.</param>
/// <param name="Characters">Characters of all that they say, in UTF-16 units.</param>
/// <param name="Overlap">Records of the other files, those held out, that say the same as one of these.</param>
public sealed record DataInspection(long Records, IReadOnlyDictionary<string, long> Fields, long Duplicates, long Characters, long Overlap)
{
    private static readonly Fingerprint Hash = new(FingerprintKind.XxHash, 64);

    /// <summary>What becomes of the records when they are tokenized; null where no model is given.</summary>
    public ExampleReport? Examples { get; private init; }

    /// <summary>Tokens of the examples, ascending.</summary>
    public IReadOnlyList<int> Lengths { get; private init; } = [];

    /// <summary>What is not as it should be, a sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; private init; } = [];

    /// <summary>Looks through files of records.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="heldOut">Files that are held out.</param>
    /// <param name="columns">The files' names of fields, and the names that they are read as; null for none.</param>
    /// <param name="reader">How a training would read them, or null.</param>
    /// <exception cref="InvalidDataException">A file or record cannot be read; the message names the file and line.</exception>
    public static DataInspection Of(
        IReadOnlyList<string> paths, IReadOnlyList<string> heldOut, IReadOnlyDictionary<string, string>? columns = null, SupervisedExamples? reader = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        ArgumentNullException.ThrowIfNull(heldOut);
        SortedDictionary<string, long> fields = new(StringComparer.Ordinal);
        HashSet<ulong> seen = [];
        long records = 0, duplicates = 0, characters = 0;
        foreach (CorpusDocument document in CorpusDocuments.Read(paths, columns))
        {
            records++;
            if (document.Record is { } record)
            {
                foreach (System.Text.Json.JsonProperty field in record.Json.EnumerateObject())
                    fields[field.Name] = fields.GetValueOrDefault(field.Name) + 1;
            }
            characters += document.Text.Length;
            duplicates += seen.Add(Hash.Of(document.Text)) ? 0 : 1;
        }
        long overlap = CorpusDocuments.Read(heldOut, columns).LongCount(d => seen.Contains(Hash.Of(d.Text)));
        ExampleReport? report = reader?.Read(paths, columns);
        DataInspection inspection = new(records, fields, duplicates, characters, overlap)
        {
            Examples = report,
            Lengths = report is null ? [] : [.. report.Examples.Select(e => e.TotalTokens).Order()],
        };
        return inspection with { Warnings = [.. inspection.Judge()] };
    }

    /// <summary>The length that a share of the examples does not exceed; 0 where there are none.</summary>
    /// <param name="share">The share, in [0, 1].</param>
    public int Quantile(double share) => Lengths.Count == 0 ? 0 : Lengths[(int)Math.Clamp(Math.Ceiling(share * Lengths.Count) - 1, 0, Lengths.Count - 1)];

    /// <summary>The tokens of an example as texts, with those that are learned.</summary>
    /// <param name="example">The example.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    public static IReadOnlyList<SeenToken> Tokens(Example example, Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(example);
        ArgumentNullException.ThrowIfNull(tokenizer);
        SeenToken[] tokens = new SeenToken[example.Ids.Length];
        DecodeStream stream = tokenizer.CreateDecodeStream(skipSpecialTokens: false);
        for (int i = 0; i < tokens.Length; i++)
            tokens[i] = new SeenToken(stream.Append(example.Ids[i]) + (i + 1 == tokens.Length ? stream.Flush() : ""), example.IsTarget(i));
        return tokens;
    }

    private IEnumerable<string> Judge()
    {
        if (Duplicates > 0)
            yield return $"{Duplicates:N0} of {Records:N0} records say the same as an earlier one; gradus data dedup takes them out";
        if (Overlap > 0)
            yield return $"{Overlap:N0} records of the held-out files are in the training files as well; what is measured on them is no measure";
        if (Examples is not { } report)
            yield break;
        foreach (string note in report.Notes())
            yield return note.StartsWith("warning: ", StringComparison.Ordinal) ? note["warning: ".Length..] : note;
        if (report.Examples.Count == 0)
            yield return "there is nothing to learn";
        else if (report.Targets * 50 < report.Tokens)
            yield return $"only {100.0 * report.Targets / report.Tokens:0.0}% of the tokens are learned; long prompts with short answers learn slowly";
    }
}
