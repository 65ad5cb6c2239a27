// One stage of a pipeline, or the single run of a page: what it is for, its figures, its curves, evaluations and samples.
using System.Text.Json;

namespace Gradus.Cli.Reports;

internal static class StageSection
{
    /// <summary>The list of the stages: what came out of each and how long it took.</summary>
    public static void WriteOverview(ReportPage page, IReadOnlyList<(PipelineStage Stage, RunContents Run)> stages, IReadOnlyList<string> problems)
    {
        HtmlWriter html = page.Main;
        page.AddToContents("overview", "Overview");
        html.Add($"""<section id="overview" aria-labelledby="overview-title"><h2 id="overview-title">Overview</h2>""");
        WriteProblems(html, problems);
        html.Add($"""<ol class="stages">""");
        double longest = stages.Select(stage => stage.Stage.Seconds ?? 0).Append(0).Max();
        for (int i = 0; i < stages.Count; i++)
        {
            (PipelineStage stage, RunContents run) = stages[i];
            double seconds = stage.Seconds ?? 0;
            int width = longest > 0 && seconds > 0 && double.IsFinite(longest) ? Math.Max(1, (int)Math.Round(100 * seconds / longest)) : 0;
            html.Add($"""
                <li><a href="#stage-{i + 1}"><span class="badge" aria-hidden="true">{i + 1}</span><span class="name">{TitleOf(stage, run)}</span></a>
                <span class="result">{Headline(run)}</span>
                <span class="time"><span class="bar" aria-hidden="true"><i style="width:{width}%"></i></span>{(stage.Seconds is { } s ? Figures.Duration(s) : "–")}</span></li>
                """);
        }
        html.Add($"</ol></section>");
    }

    public static void Write(ReportPage page, int number, PipelineStage stage, RunContents run)
    {
        HtmlWriter html = page.Main;
        string id = $"stage-{number}", title = TitleOf(stage, run);
        page.AddToContents(id, title, 1, number);
        html.Add($"""
            <section id="{id}" class="stage" aria-labelledby="{id}-title">
            <h2 id="{id}-title"><span class="badge">{number}</span><span>{title} <small>{(stage.Seconds is { } s ? Figures.Duration(s) : "")}</small></span></h2>
            """);
        if (!string.IsNullOrWhiteSpace(stage.What))
            html.Add($"""<p class="lead">{stage.What}</p>""");
        if (!string.IsNullOrWhiteSpace(stage.Command))
            html.Add($"""<pre class="command"><code>{stage.Command}</code></pre>""");
        WriteFacts(html, stage.Facts);
        WriteContent(page, id, run, stage: true);
        html.Add($"</section>");
    }

    /// <summary>Everything that a run folder holds, and what it lacks.</summary>
    public static void WriteContent(ReportPage page, string id, RunContents run, bool stage)
    {
        HtmlWriter html = page.Main;
        WriteProblems(html, run.Problems);
        if (run.Present.Count == 0 && run.Problems.Count == 0)
        {
            html.Add($"""<p class="note">Nothing is here yet: this {(stage ? "stage" : "run")} has not started, or has left no files.</p>""");
            return;
        }
        if (run.Tokenizer is not null)
            TokenizerSection.Write(page, id, run.Tokenizer);
        if (run.Log is not null)
            TrainingSection.Write(page, id, run.Log);
        EvaluationSection.Write(page, id, run);
        SamplesSection.Write(page, id, run);
        if (run.Run is { } file)
            ConfigurationSection.Write(page, id, file);
        if (run.Absent(stage) is { Count: > 0 } absent)
            html.Add($"""<p class="note">Absent from this folder: {string.Join(", ", absent)}.</p>""");
    }

    /// <summary>The commands to go on with.</summary>
    public static void WriteNext(ReportPage page, IReadOnlyList<string> commands, Talk? talk = null)
    {
        page.AddToContents("next", "Talk to it");
        HtmlWriter html = page.Main;
        html.Add($"""<section id="next" aria-labelledby="next-title"><h2 id="next-title">Talk to it</h2>""");
        if (commands.Count == 0)
            html.Add($"""<p class="note">There is no complete checkpoint yet, so there is nothing to talk to.</p>""");
        else
            html.Add($"""<p class="lead">The model is on this machine. In a terminal:</p>""");
        foreach (string command in commands)
            html.Add($"""<pre class="command"><code>{command}</code></pre>""");
        WriteTalk(html, talk);
        html.Add($"</section>");
    }

    private static void WriteTalk(HtmlWriter html, Talk? talk)
    {
        Exchange[] exchanges = [.. (talk?.Answers ?? []).OfType<Exchange>()];
        if (exchanges.Length == 0)
            return;
        html.Add($"""<p>What to say, and the answers that this model gives:</p>""");
        if (talk!.Command is { } command)
            html.Add($"""<pre class="command"><code>{command}</code></pre>""");
        html.Add($"""<div class="scroll" tabindex="0" role="region" aria-label="What the model answers"><table><thead><tr><th scope="col">You</th><th scope="col">The model</th></tr></thead><tbody>""");
        foreach (Exchange exchange in exchanges)
            html.Add($"<tr><td>{exchange.Prompt}</td><td>{exchange.Answer}</td></tr>");
        html.Add($"</tbody></table></div>");
    }

    private static string TitleOf(PipelineStage stage, RunContents run) =>
        new[] { stage.Title, run.RunText("name"), run.RunText("stage"), stage.Folder }.FirstOrDefault(title => !string.IsNullOrWhiteSpace(title)) ?? "Stage";

    /// <summary>The one result that says most about a stage.</summary>
    private static string Headline(RunContents run)
    {
        if (run.Tokenizer is { VocabularySize: { } size, BytesPerToken: { } bytes })
            return $"{Figures.Count(size)} tokens, {Figures.Number(bytes)} bytes each";
        if (EvaluationSection.Headline(run.Evaluations) is { } evaluation)
            return $"{evaluation.Metric} {evaluation.Change}";
        if (run.Log is { } log)
        {
            bool validated = TrainingSection.Best(log.Evaluations) is not null;
            LogLine[] lines = [.. (validated ? log.Evaluations : log.Steps).Where(line => line.Loss is { } loss && double.IsFinite(loss))];
            if (lines.Length > 0)
                return $"{(validated ? "validation" : "train")} loss {Figures.Number(lines[0].Loss!.Value)} → {Figures.Number(lines[^1].Loss!.Value)}";
        }
        int samples = run.Samples.Sum(file => file.Samples?.Length ?? 0);
        return samples > 0 ? Figures.Plural(samples, "sample") : run.Present.Count == 0 ? "nothing yet" : "";
    }

    private static void WriteFacts(HtmlWriter html, JsonElement? facts)
    {
        if (facts is not { ValueKind: JsonValueKind.Object } values || !values.EnumerateObject().Any())
            return;
        html.Add($"""<dl class="facts">""");
        foreach (JsonProperty fact in values.EnumerateObject())
        {
            string text = fact.Value.ValueKind == JsonValueKind.Number && fact.Value.TryGetInt64(out long count)
                ? Figures.Count(count) : TolerantJson.Show(fact.Value);
            html.Add($"<div><dt>{TolerantJson.Name(fact)}</dt><dd>{text}</dd></div>");
        }
        html.Add($"</dl>");
    }

    private static void WriteProblems(HtmlWriter html, IReadOnlyList<string> problems)
    {
        foreach (string problem in problems)
            html.Add($"""<p class="note warning">{problem}</p>""");
    }
}
