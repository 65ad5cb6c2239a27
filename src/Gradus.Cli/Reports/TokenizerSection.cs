// What a trained tokenizer is like: its size, how far it compresses, and its longest tokens.
using System.Text.Json;

namespace Gradus.Cli.Reports;

internal static class TokenizerSection
{
    private const int MostTokens = 40;

    public static void Write(ReportPage page, string id, TokenizerReport report)
    {
        HtmlWriter html = page.Main;
        page.AddToContents($"{id}-tokenizer", "Tokenizer", 2);
        html.Add($"""<h3 id="{id}-tokenizer">Tokenizer</h3><dl class="tiles">""");
        if (report.VocabularySize is { } size)
            TrainingSection.Tile(html, "Vocabulary", Figures.Count(size), "tokens");
        if (report.BytesPerToken is { } bytes)
            TrainingSection.Tile(html, "Compression", Figures.Number(bytes), "bytes per token");
        if (Unused(report.Unused) is { } unused)
            TrainingSection.Tile(html, "Unused", unused, "tokens that the text never needs");
        html.Add($"</dl>");
        string[] tokens = [.. (report.LongestTokens ?? []).OfType<string>()];
        if (tokens.Length == 0)
            return;
        html.Add($"""<h4>Longest tokens</h4><p class="count">␣ is a space, ↵ a line end.</p><ul class="tokens">""");
        foreach (string token in tokens.Take(MostTokens))
            html.Add($"""<li>{Figures.Shorten(token, 80).Text.Replace(' ', '␣').Replace('\u0120', '␣').Replace('\n', '↵')}</li>""");
        html.Add($"</ul>");
    }

    private static string? Unused(JsonElement? unused) => unused switch
    {
        { ValueKind: JsonValueKind.Array } list => Figures.Count(list.GetArrayLength()),
        { ValueKind: JsonValueKind.Number } number when number.TryGetInt64(out long count) => Figures.Count(count),
        _ => null,
    };
}
