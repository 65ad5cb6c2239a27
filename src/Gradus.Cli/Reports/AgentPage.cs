using Gradus.Applications.Agents;

namespace Gradus.Cli.Reports;

/// <summary>A page that shows every step of an agent.</summary>
internal static class AgentPage
{
    /// <summary>The whole document.</summary>
    public static string Build(AgentTrace trace)
    {
        ReportPage page = new($"Agent: {trace.Question}");
        page.Header.Add($"<h1>{trace.Question}</h1><p>{trace.Method}, seed {trace.Seed.ToString(null, null)}, {trace.Steps.Count} steps, {trace.Steps.Sum(s => s.Tokens).ToString(null, null)} tokens</p>");
        page.AddToContents("answer", "Answer");
        page.Main.Add($"""<section id="answer"><h2>Answer</h2><p>{trace.Answer ?? $"none: {trace.Reason}"}</p></section>""");
        foreach (AgentStep step in trace.Steps)
            Add(page, step);
        return page.Build();
    }

    private static void Add(ReportPage page, AgentStep step)
    {
        string id = $"step-{step.Number}", heading = $"{step.Number}. {step.Title}";
        page.AddToContents(id, heading, level: 2);
        string facts = $"{step.Kind}{(step.Outcome is { } outcome ? $", {outcome}" : "")}, {step.Milliseconds} ms{(step.Tokens > 0 ? $", {step.Tokens} tokens" : "")}";
        page.Main.Add($"""<section id="{id}"><h2>{heading}</h2><p class="note">{facts}</p>""");
        if (step.Input.Length > 0)
            page.Main.Add($"""<details><summary>asked</summary><pre>{step.Input}</pre></details>""");
        if (step.Output.Length > 0)
            page.Main.Add($"<pre>{step.Output}</pre>");
        foreach (RequestedCall call in step.Calls)
            page.Main.Add($"<p>calls <code>{call.Name}</code></p><pre>{call.Arguments}</pre>");
        page.Main.Add($"</section>");
    }
}
