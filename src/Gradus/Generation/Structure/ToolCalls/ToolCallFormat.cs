// How model families write calls of tools. Sources: the chat templates of the models, and the formats that serving engines parse.
// Left out: parameters as XML elements (Qwen3-Coder) and calls as Python (Llama 4, Olmo 3).

namespace Gradus.Generation.Structure.ToolCalls;

/// <summary>
/// How one family of models writes calls: markers around all of them and around each, and a JSON object that holds the name and the
/// arguments, or the arguments alone behind the name. The grammar and the parser both come from this.
/// </summary>
/// <param name="Name">The name of the format.</param>
/// <param name="Open">Before the first call.</param>
/// <param name="CallOpen">Before each call.</param>
/// <param name="CallClose">After each call.</param>
/// <param name="Separator">Between two calls.</param>
/// <param name="Close">After the last call.</param>
public sealed record ToolCallFormat(string Name, string Open = "", string CallOpen = "", string CallClose = "", string Separator = "", string Close = "")
{
    /// <summary>The key of the arguments beside <c>name</c> in a call's object; null where the name stands before the arguments' object.</summary>
    public string? ArgumentsKey { get; init; } = "arguments";

    /// <summary>Between the name and the arguments, where the name stands before them.</summary>
    public string AfterName { get; init; } = "";

    /// <summary>Whether there can be more than one call.</summary>
    public bool IsParallel { get; init; } = true;

    /// <summary>What a chat template that writes this format holds.</summary>
    public IReadOnlyList<string> TemplateHints { get; init; } = [];

    /// <summary>Hermes, Qwen 2.5 and 3, and models trained by Gradus: JSON between <c>&lt;tool_call&gt;</c> tags.</summary>
    public static ToolCallFormat Hermes { get; } = new("hermes", CallOpen: "<tool_call>\n", CallClose: "\n</tool_call>", Separator: "\n") { TemplateHints = ["<tool_call>"] };

    /// <summary>Llama 3: a JSON object with <c>parameters</c>, one call.</summary>
    public static ToolCallFormat Llama3 { get; } = new("llama3") { ArgumentsKey = "parameters", IsParallel = false, TemplateHints = ["\"parameters\": ", "<|python_tag|>"] };

    /// <summary>Mistral: a list after <c>[TOOL_CALLS]</c>.</summary>
    public static ToolCallFormat Mistral { get; } = new("mistral", Open: "[TOOL_CALLS][", Separator: ", ", Close: "]") { TemplateHints = ["[TOOL_CALLS]"] };

    /// <summary>Phi 4: a list between <c>&lt;|tool_call|&gt;</c> tokens.</summary>
    public static ToolCallFormat Phi { get; } = new("phi", Open: "<|tool_call|>[", Separator: ", ", Close: "]<|/tool_call|>") { TemplateHints = ["<|tool_call|>"] };

    /// <summary>DeepSeek V3.1: bare JSON behind the name.</summary>
    public static ToolCallFormat DeepSeek { get; } = new("deepseek", "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", Close: "<｜tool▁calls▁end｜>")
    {
        ArgumentsKey = null,
        AfterName = "<｜tool▁sep｜>",
        TemplateHints = ["<｜tool▁sep｜>"],
    };

    /// <summary>DeepSeek V3 and R1: JSON in a fenced block behind the name.</summary>
    public static ToolCallFormat DeepSeekR1 { get; } = new("deepseek-r1", "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>function<｜tool▁sep｜>", "\n```<｜tool▁call▁end｜>", Separator: "\n", Close: "<｜tool▁calls▁end｜>")
    {
        ArgumentsKey = null,
        AfterName = "\n```json\n",
        TemplateHints = ["<｜tool▁sep｜>", "```json"],
    };

    /// <summary>gpt-oss: a message to a function in the commentary channel.</summary>
    public static ToolCallFormat Harmony { get; } = new("harmony", CallOpen: "<|channel|>commentary to=functions.", CallClose: "<|call|>")
    {
        ArgumentsKey = null,
        AfterName = " <|constrain|>json<|message|>",
        IsParallel = false,
        TemplateHints = ["<|channel|>", "<|call|>"],
    };

    /// <summary>All formats.</summary>
    public static IReadOnlyList<ToolCallFormat> All { get; } = [Hermes, Llama3, Mistral, Phi, DeepSeekR1, DeepSeek, Harmony];

    /// <summary>The first of what a call begins with: where it stands, a call begins; empty where that is the brace of an object.</summary>
    internal string Trigger => Open + CallOpen;

    /// <summary>The format of a name.</summary>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static ToolCallFormat Find(string name) =>
        All.FirstOrDefault(f => f.Name == name) ?? throw new ArgumentException($"There is no format of tool calls called {name}; there are {string.Join(", ", All.Select(f => f.Name))}.", nameof(name));

    /// <summary>The format that a chat template writes: the one of which it holds most; null where it holds none.</summary>
    /// <param name="template">The source of the template.</param>
    public static ToolCallFormat? OfTemplate(string template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return All.Where(f => f.TemplateHints.Count > 0 && f.TemplateHints.All(h => template.Contains(h, StringComparison.Ordinal))).MaxBy(f => f.TemplateHints.Sum(h => h.Length))
            ?? All.FirstOrDefault(f => f.TemplateHints.Any(h => template.Contains(h, StringComparison.Ordinal)));
    }

    /// <summary>The texts between <c>&lt;</c> and <c>&gt;</c> or brackets in the markers, which may be special tokens of a vocabulary.</summary>
    public IEnumerable<string> MarkerTokens()
    {
        foreach (System.Text.RegularExpressions.Match match in System.Text.RegularExpressions.Regex.Matches(string.Join('\n', Open, CallOpen, AfterName, CallClose, Separator, Close), @"<[^<>\s]+>|\[[A-Z_]+\]"))
            yield return match.Value;
    }
}
