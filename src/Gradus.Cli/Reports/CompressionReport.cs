// What making a model smaller has cost: the figures as JSON, and the same as a page.
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Training.Compression;

namespace Gradus.Cli.Reports;

/// <summary>The report of a compression.</summary>
/// <param name="Title">Model, target and method.</param>
/// <param name="From">The original.</param>
/// <param name="To">What was written.</param>
/// <param name="BytesBefore">Bytes of the original's tensors.</param>
/// <param name="BytesAfter">Bytes of what was written.</param>
/// <param name="Loss">What it predicts otherwise; null where no text was given, or the model writes none.</param>
/// <param name="Layers">What each layer has cost.</param>
/// <param name="Scales">What AWQ has found.</param>
internal sealed record CompressionReport(
    string Title, string From, string To, long BytesBefore, long BytesAfter, CompressionLoss? Loss, IReadOnlyList<LayerLoss> Layers, IReadOnlyList<AwqScale> Scales)
{
    private static readonly System.Text.Json.JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes NAME.json and NAME.html.</summary>
    public void Write(string name)
    {
        AtomicFile.WriteAllText(name + ".json", ToJson().ToJsonString(Indented) + "\n");
        AtomicFile.WriteAllText(name + ".html", Html());
    }

    /// <summary>As JSON.</summary>
    public JsonObject ToJson() => new()
    {
        ["title"] = Title,
        ["original"] = From,
        ["compressed"] = To,
        ["bytes_original"] = BytesBefore,
        ["bytes"] = BytesAfter,
        ["loss"] = Loss?.ToJson(),
        ["layers"] = new JsonArray([.. Layers.Select(l => (JsonNode)new JsonObject { ["layer"] = l.Layer, ["error"] = l.Error, ["bytes"] = l.Bytes, ["note"] = l.Note })]),
        ["scales"] = new JsonArray([.. Scales.Select(s => (JsonNode)new JsonObject { ["before"] = s.Before, ["ratio"] = s.Ratio })]),
    };

    /// <summary>Prints the figures.</summary>
    public void Print(Facts facts, string name)
    {
        foreach ((string label, string value) in Rows())
            facts.Add(label, value);
        facts.Add("written to", To);
        facts.Add("report", name + ".html");
    }

    /// <summary>The figures in words.</summary>
    public IEnumerable<(string Label, string Value)> Rows()
    {
        yield return ("size", $"{Facts.Bytes(BytesBefore)} → {Facts.Bytes(BytesAfter)} ({100.0 * BytesAfter / Math.Max(1, BytesBefore):0.0} %)");
        if (Loss is not { } loss)
            yield break;
        yield return ("perplexity", $"{Show(loss.OriginalPerplexity)} → {Show(loss.CompressedPerplexity)}, {Percent(loss.Increase)}");
        yield return ("KL divergence", $"{Show(loss.Divergence)} nats per token");
        yield return ("same top token", Percent(loss.SameTop, sign: false));
        yield return ("speed", string.Create(CultureInfo.InvariantCulture, $"{loss.OriginalTokensPerSecond:N0} → {loss.CompressedTokensPerSecond:N0} tokens read per second, the original in F32"));
    }

    private string Html()
    {
        ReportPage page = new(Title);
        page.Header.Add($"<h1>{Title}</h1>");
        page.AddToContents("loss", "What it costs");
        page.Main.Add($"""<h2 id="loss">What it costs</h2><table><tbody>""");
        foreach ((string label, string value) in Rows())
            page.Main.Add($"""<tr><th scope="row">{label}</th><td>{value}</td></tr>""");
        page.Main.Add($"</tbody></table>");
        page.Main.Add($"""<p>{(Loss is null ? "No loss was measured: give text with --test, or a model that writes text." : $"Measured on {Figures.Count(Loss.Tokens)} tokens of held-out text. ± is the standard error over blocks of text; the change is compared token by token, so that its error is far smaller than those of the two perplexities.")}</p>""");
        page.AddToContents("layers", "Layer by layer");
        page.Main.Add($"""<h2 id="layers">Layer by layer</h2><p>The squared error of a layer's outputs in parts of their squares.</p><table><thead><tr><th>layer</th><th class="n">error</th><th class="n">bytes</th><th></th></tr></thead><tbody>""");
        foreach (LayerLoss layer in Layers)
            page.Main.Add($"""<tr><td>{layer.Layer}</td><td class="n">{layer.Error.ToString("0.00e0", CultureInfo.InvariantCulture)}</td><td class="n">{Figures.Count(layer.Bytes)}</td><td>{layer.Note}</td></tr>""");
        page.Main.Add($"</tbody></table>");
        if (Scales.Count > 0)
        {
            page.AddToContents("scales", "Scales");
            page.Main.Add($"""<h2 id="scales">Scales</h2><p>The ratio with which inputs were scaled by the size of their activations; 0 leaves them as they are.</p><table><thead><tr><th>scaled down</th><th class="n">ratio</th></tr></thead><tbody>""");
            foreach (AwqScale scale in Scales)
                page.Main.Add($"""<tr><td>{scale.Before}</td><td class="n">{scale.Ratio.ToString("0.00", CultureInfo.InvariantCulture)}</td></tr>""");
            page.Main.Add($"</tbody></table>");
        }
        return page.Build();
    }

    private static string Show(Estimate estimate) => estimate.Error is { } error
        ? $"{Figures.Number(estimate.Value)} ± {Figures.Number(error)}"
        : Figures.Number(estimate.Value);

    private static string Percent(Estimate estimate, bool sign = true) => string.Create(
        CultureInfo.InvariantCulture,
        $"{(sign && estimate.Value > 0 ? "+" : "")}{100 * estimate.Value:0.000} %{(estimate.Error is { } error ? $" ± {100 * error:0.000}" : "")}");
}
