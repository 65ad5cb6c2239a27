// Source: RFC 4180, as the framework's TextFieldParser reads it; the delimiter is the most frequent of four in the first line.

using System.Text;
using Microsoft.VisualBasic.FileIO;

namespace Gradus.Applications.Retrieval.Documents;

/// <summary>Tables: every record becomes a paragraph of lines <c>column: value</c> and a section of its own.</summary>
public sealed class CsvReader : DocumentReader
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Extensions { get; } = [".csv", ".tsv"];

    /// <inheritdoc/>
    public override SourceDocument Read(ReadOnlyMemory<byte> bytes, string name, ReadingLimits limits)
    {
        string decoded = Decode(bytes, limits, out IReadOnlyList<string> remarks);
        StringBuilder text = new();
        HeadingPath path = new();
        try
        {
            using TextFieldParser table = new(new StringReader(decoded)) { HasFieldsEnclosedInQuotes = true, TrimWhiteSpace = true };
            table.SetDelimiters(Delimiter(decoded.AsSpan(0, decoded.IndexOf('\n') is >= 0 and int end ? end : decoded.Length)));
            string[] columns = table.ReadFields() ?? [];
            while (table.ReadFields() is { } record)
            {
                EndParagraph(text);
                path.Add(text.Length, 1, "");
                for (int c = 0; c < record.Length; c++)
                {
                    if (record[c].Length > 0)
                        text.Append(c < columns.Length && columns[c].Length > 0 ? columns[c] : $"column {c + 1}").Append(": ").Append(record[c]).Append('\n');
                }
                CheckLength(text.Length, limits);
            }
        }
        catch (MalformedLineException e)
        {
            throw new InvalidDataException($"is no table: line {e.LineNumber} has a quote where none may stand");
        }
        return new SourceDocument(text.ToString(), [.. path.Sections.Select(s => s with { Headings = [] })], new Dictionary<string, string>()) { Remarks = remarks };
    }

    private static string Delimiter(ReadOnlySpan<char> header)
    {
        char best = ',';
        foreach (char candidate in ",;\t|")
            best = header.Count(candidate) > header.Count(best) ? candidate : best;
        return best.ToString();
    }
}
