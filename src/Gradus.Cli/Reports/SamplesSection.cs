// What the model wrote, prompt by prompt, step by step: the same prompt answered by an older and an older model reads as progress.
namespace Gradus.Cli.Reports;

internal static class SamplesSection
{
    private const int MostPrompts = 12;
    private const int MostSteps = 6;
    private const int LongestText = 4000;

    /// <summary>Prompts above this many characters, or with more than a few lines, are folded.</summary>
    private const int LongestOpenPrompt = 240;

    private sealed record Entry(long? Step, string? Title, string Completion);

    private sealed record PromptGroup(string Prompt, List<Entry> Entries);

    public static void Write(ReportPage page, string id, RunContents run)
    {
        List<PromptGroup> groups = Group(run.Samples);
        if (groups.Count == 0)
        {
            if (run.Samples.Count > 0)
                page.Main.Add($"""<p class="note">The files of samples/ hold no samples.</p>""");
            return;
        }
        page.AddToContents($"{id}-samples", "Samples", 2);
        page.Main.Add($"""<h3 id="{id}-samples">Samples</h3>""");
        if (groups.Any(group => group.Entries.Count > 1))
            page.Main.Add($"""<p class="lead">The same prompts, answered as training went on. The prompt is grey; what the model wrote is not.</p>""");
        page.Main.Add($"""<div class="samples">""");
        string? heading = null;
        foreach (PromptGroup group in groups.Take(MostPrompts))
        {
            string? title = TitleOf(group);
            if (title != heading && title is not null)
                page.Main.Add($"""<h4>{title}</h4>""");
            heading = title;
            WriteGroup(page.Main, group, title, run.Log);
        }
        page.Main.Add($"</div>");
        if (groups.Count > MostPrompts)
            page.Main.Add($"""<p class="note">{MostPrompts} of {Figures.Count(groups.Count)} prompts are shown; the others are in samples/.</p>""");
    }

    /// <summary>Brings together the answers to one prompt. Where a file has one prompt twice, the second is a group of its own.</summary>
    private static List<PromptGroup> Group(IReadOnlyList<SampleFile> files)
    {
        List<PromptGroup> groups = [];
        Dictionary<(string Prompt, int Occurrence), PromptGroup> byPrompt = [];
        foreach (SampleFile file in files)
        {
            Dictionary<string, int> seen = [];
            foreach (Sample? sample in file.Samples ?? [])
            {
                if (sample is null)
                    continue;
                string prompt = sample.Prompt ?? "";
                int occurrence = seen[prompt] = seen.GetValueOrDefault(prompt) + 1;
                if (!byPrompt.TryGetValue((prompt, occurrence), out PromptGroup? group))
                {
                    byPrompt[(prompt, occurrence)] = group = new PromptGroup(prompt, []);
                    groups.Add(group);
                }
                group.Entries.Add(new Entry(file.Step, file.Title, sample.Completion ?? ""));
            }
        }
        return groups;
    }

    /// <summary>The title that all answers of a group share, or null.</summary>
    private static string? TitleOf(PromptGroup group)
    {
        string? title = group.Entries[0].Title;
        return !string.IsNullOrWhiteSpace(title) && group.Entries.TrueForAll(entry => entry.Title == title) ? title : null;
    }

    /// <summary>Whether a title says more than the step that stands above it.</summary>
    private static bool SaysMore(string? title, long? step) =>
        !string.IsNullOrWhiteSpace(title) && (step is null || !title.Contains($"{step}", StringComparison.Ordinal));

    private static void WriteGroup(HtmlWriter html, PromptGroup group, string? title, LogContents? log)
    {
        html.Add($"""<article class="sample">""");
        bool inline = group.Prompt.Length <= LongestOpenPrompt && group.Prompt.Count(c => c == '\n') <= 3;
        if (!inline)
            WriteFoldedPrompt(html, group.Prompt);
        else if (group.Prompt.Length == 0)
            html.Add($"""<p class="count">Without a prompt</p>""");
        List<Entry> shown = [], folded = [];
        int count = Math.Min(group.Entries.Count, MostSteps);
        HashSet<int> kept = [.. Enumerable.Range(0, count).Select(i => i * (group.Entries.Count - 1) / Math.Max(count - 1, 1))];
        for (int i = 0; i < group.Entries.Count; i++)
            (kept.Contains(i) ? shown : folded).Add(group.Entries[i]);
        string prompt = inline ? group.Prompt : "";
        WriteEntries(html, shown, prompt, title, log);
        if (folded.Count > 0)
        {
            html.Add($"""<details><summary>{Figures.Plural(folded.Count, "step")} between</summary>""");
            WriteEntries(html, folded, prompt, title, log);
            html.Add($"</details>");
        }
        html.Add($"</article>");
    }

    private static void WriteEntries(HtmlWriter html, List<Entry> entries, string prompt, string? groupTitle, LogContents? log)
    {
        html.Add($"""<ol class="timeline">""");
        foreach (Entry entry in entries)
        {
            html.Add($"""<li><p class="when">{(entry.Step is { } step ? $"step {Figures.Count(step)}" : "")}""");
            if (entry.Title != groupTitle && SaysMore(entry.Title, entry.Step))
                html.Add($"""<span>{entry.Title}</span>""");
            if (log?.Evaluations.FirstOrDefault(line => line.Step == entry.Step) is { Loss: { } loss })
                html.Add($"""<span>validation {Figures.Number(loss)}</span>""");
            // Behind its prompt the space between the two is part of the picture; on a line of its own it is not.
            (string text, int leftOut) = Figures.Shorten(prompt.Length == 0 ? entry.Completion.TrimStart() : entry.Completion, LongestText);
            html.Add($"""</p><div class="text" dir="auto"><span class="prompt">{prompt}</span>{text}{(text.Length == 0 ? "(nothing)" : "")}</div>""");
            if (leftOut > 0)
                html.Add($"""<p class="count">{Figures.Plural(leftOut, "character")} more in samples/</p>""");
            html.Add($"</li>");
        }
        html.Add($"</ol>");
    }

    /// <summary>A long prompt, folded under its beginning.</summary>
    public static void WriteFoldedPrompt(HtmlWriter html, string prompt)
    {
        string firstLine = Figures.Shorten(prompt.ReplaceLineEndings(" ").Trim(), 140).Text;
        (string text, int leftOut) = Figures.Shorten(prompt, LongestText);
        html.Add($"""
            <details class="long-prompt"><summary>Prompt, {Figures.Plural(prompt.Length, "character")}: <span class="prompt">{firstLine}…</span></summary>
            <div class="text" dir="auto">{text}{(leftOut > 0 ? "…" : "")}</div></details>
            """);
    }
}
