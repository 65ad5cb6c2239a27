// Source: ISO 32000-2 as PdfPig reads it. Words are put into reading order by lines; a line in letters clearly larger than the document's usual
// size is a heading. Left out: pictures of text (no recognition), tables as tables.

using System.Text;
using UglyToad.PdfPig;
using UglyToad.PdfPig.Content;
using UglyToad.PdfPig.Exceptions;

namespace Gradus.Applications.Retrieval.Documents;

/// <summary>PDF: text in reading order with pages; large lines are headings.</summary>
public sealed class PdfReader : DocumentReader
{
    private const double HeadingRatio = 1.15;
    private const int LongestHeading = 120;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Extensions { get; } = [".pdf"];

    /// <inheritdoc/>
    public override SourceDocument Read(ReadOnlyMemory<byte> bytes, string name, ReadingLimits limits)
    {
        List<string> remarks = [];
        try
        {
            using PdfDocument pdf = PdfDocument.Open(bytes.ToArray(), new ParsingOptions { UseLenientParsing = true, SkipMissingFonts = true });
            return Read(pdf, remarks, limits);
        }
        catch (PdfDocumentEncryptedException)
        {
            throw new InvalidDataException("is encrypted: save a copy without a password");
        }
        catch (Exception e) when (e is not (InvalidDataException or OutOfMemoryException))
        {
            // What a broken file makes the parser throw is a matter of chance.
            throw new InvalidDataException($"is no readable PDF: {e.Message.Split('\n')[0].Trim()}");
        }
    }

    private static SourceDocument Read(PdfDocument pdf, List<string> remarks, ReadingLimits limits)
    {
        List<(int Page, List<(string Text, double Size, double Gap)> Lines)> pages = [];
        long characters = 0;
        for (int number = 1; number <= pdf.NumberOfPages; number++)
        {
            try
            {
                List<(string Text, double Size, double Gap)> lines = LinesOf(pdf.GetPage(number));
                characters += lines.Sum(l => (long)l.Text.Length + 1);
                CheckLength(characters, limits);
                pages.Add((number, lines));
            }
            catch (Exception e) when (e is not (InvalidDataException or OutOfMemoryException))
            {
                remarks.Add($"page {number} cannot be read: {e.Message.Split('\n')[0].Trim()}");
            }
        }
        if (characters == 0)
            remarks.Add("holds no text; pictures of text are not recognised");
        return Assemble(pages, pdf, remarks);
    }

    private static SourceDocument Assemble(List<(int Page, List<(string Text, double Size, double Gap)> Lines)> pages, PdfDocument pdf, List<string> remarks)
    {
        StringBuilder text = new();
        HeadingPath path = new();
        double usual = UsualSize(pages.SelectMany(p => p.Lines));
        double[] larger = [.. pages.SelectMany(p => p.Lines).Where(l => IsHeading(l.Text, l.Size, usual)).Select(l => Math.Round(l.Size)).Distinct().OrderDescending()];
        foreach ((int page, List<(string Text, double Size, double Gap)> lines) in pages)
        {
            EndParagraph(text);
            path.AddPage(text.Length, page);
            foreach ((string line, double size, double gap) in lines)
            {
                bool heading = IsHeading(line, size, usual);
                if (heading || gap > 1.6)
                    EndParagraph(text);
                if (heading)
                    path.Add(text.Length, Array.IndexOf(larger, Math.Round(size)) + 1, line);
                text.Append(line).Append('\n');
            }
        }
        Dictionary<string, string> metadata = [];
        foreach ((string key, string? value) in new[] { ("title", pdf.Information.Title), ("author", pdf.Information.Author), ("subject", pdf.Information.Subject) })
        {
            if (value?.Trim() is { Length: > 0 } known)
                metadata[key] = known;
        }
        return new SourceDocument(text.ToString(), path.Sections, metadata) { Remarks = remarks };
    }

    private static bool IsHeading(string line, double size, double usual) => size > usual * HeadingRatio && line.Length <= LongestHeading && line.Any(char.IsLetter);

    // The size in which most characters are set.
    private static double UsualSize(IEnumerable<(string Text, double Size, double Gap)> lines) =>
        lines.GroupBy(l => Math.Round(l.Size, 1)).OrderByDescending(g => g.Sum(l => l.Text.Length)).ThenBy(g => g.Key).FirstOrDefault()?.Key ?? 0;

    // Words whose baselines are closer than half their height stand in one line; the gap to the line above is in heights.
    private static List<(string Text, double Size, double Gap)> LinesOf(Page page)
    {
        List<(string, double, double)> lines = [];
        List<Word> line = [];
        double above = double.NaN;
        foreach (Word word in page.GetWords().OrderByDescending(w => Math.Round(w.BoundingBox.Bottom)).ThenBy(w => w.BoundingBox.Left))
        {
            if (line.Count > 0 && line[0].BoundingBox.Bottom - word.BoundingBox.Bottom > Math.Max(2, Size(line[0]) / 2))
                End();
            line.Add(word);
        }
        if (line.Count > 0)
            End();
        return lines;

        void End()
        {
            double size = line.Max(Size), bottom = line[0].BoundingBox.Bottom;
            double gap = double.IsNaN(above) || size <= 0 ? 0 : (above - bottom) / size;
            lines.Add((string.Join(' ', line.OrderBy(w => w.BoundingBox.Left).Select(w => w.Text)), size, gap));
            above = bottom;
            line.Clear();
        }
    }

    private static double Size(Word word) => word.Letters.Count > 0 ? word.Letters[0].PointSize : word.BoundingBox.Height;
}
