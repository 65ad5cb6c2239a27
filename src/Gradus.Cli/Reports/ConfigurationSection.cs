// The resolved configuration and everything else that run.json says, as a tree that folds.
using System.Text.Json;

namespace Gradus.Cli.Reports;

internal static class ConfigurationSection
{
    public static void Write(ReportPage page, string id, JsonElement run)
    {
        page.AddToContents($"{id}-configuration", "Configuration", 2);
        HtmlWriter html = page.Main;
        bool found = run.TryGetProperty("config", out JsonElement config) && IsBranch(config);
        html.Add($"""
            <h3 id="{id}-configuration">Configuration</h3>
            <details class="configuration"><summary>{(found ? "Resolved configuration" : "run.json")} <span class="count">defaults, recipe and command line together, as in run.json</span></summary>
            <div class="trees">
            """);
        if (found)
        {
            WriteBranch(html, config);
        }
        html.Add($"""<ul class="tree rest">""");
        foreach (JsonProperty property in run.EnumerateObject().Where(property => !found || !property.NameEquals("config")))
            WriteEntry(html, TolerantJson.Name(property), property.Value);
        html.Add($"</ul></div></details>");
    }

    private static bool IsBranch(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().Any(),
        JsonValueKind.Array => value.EnumerateArray().Any(item => item.ValueKind is JsonValueKind.Object or JsonValueKind.Array),
        _ => false,
    };

    private static void WriteBranch(HtmlWriter html, JsonElement branch)
    {
        html.Add($"""<ul class="tree">""");
        if (branch.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in branch.EnumerateObject())
                WriteEntry(html, TolerantJson.Name(property), property.Value);
        }
        else
        {
            foreach ((int index, JsonElement item) in branch.EnumerateArray().Index())
                WriteEntry(html, Figures.Count(index), item);
        }
        html.Add($"</ul>");
    }

    private static void WriteEntry(HtmlWriter html, string key, JsonElement value)
    {
        if (IsBranch(value))
        {
            html.Add($"""<li><details open><summary><span class="key">{key}</span></summary>""");
            WriteBranch(html, value);
            html.Add($"</details></li>");
            return;
        }
        string text = value.ValueKind switch
        {
            JsonValueKind.Array => "[" + string.Join(", ", value.EnumerateArray().Select(TolerantJson.Show)) + "]",
            JsonValueKind.Object => "{}",
            JsonValueKind.String when value.ValueEquals("") => "\"\"",
            _ => TolerantJson.Show(value),
        };
        html.Add($"""<li><span class="key">{key}</span><span class="value {Kind(value.ValueKind)}">{text}</span></li>""");
    }

    private static string Kind(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Number => "is-number",
        JsonValueKind.True or JsonValueKind.False => "is-switch",
        JsonValueKind.Null => "is-null",
        _ => "",
    };
}
