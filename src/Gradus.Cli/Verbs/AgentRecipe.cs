using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gradus.Cli.Verbs;

/// <summary>An agent: a model, a method, tools, and what it may use.</summary>
public sealed record AgentRecipe
{
    /// <summary>The model: what <c>gradus agent</c> takes.</summary>
    public string Model { get; init; } = "";

    /// <summary>The question.</summary>
    public string Question { get; init; } = "";

    /// <summary>The method: cot, cot-sc, react, react-cot-sc, cot-sc-react, tools, plan, reflect or pal.</summary>
    [MinLength(1)]
    public string Method { get; init; } = "react";

    /// <summary>Servers of tools (Model Context Protocol).</summary>
    public ToolServerRecipe[] Servers { get; init; } = [];

    /// <summary>Only these tools; empty for all.</summary>
    public string[] AllowedTools { get; init; } = [];

    /// <summary>Tools that are called without asking. The built-in one, python, always is.</summary>
    public string[] ToolsWithoutAsking { get; init; } = [];

    /// <summary>Calls of the model at most.</summary>
    [Range(1, 10_000)]
    public int ModelCalls { get; init; } = 40;

    /// <summary>Calls of tools at most.</summary>
    [Range(0, 10_000)]
    public int ToolCalls { get; init; } = 20;

    /// <summary>Tokens read and written at most; 0 for any number.</summary>
    [Range(0, long.MaxValue)]
    public long Tokens { get; init; }

    /// <summary>Seconds at most; 0 for any number.</summary>
    [Range(0, 1e7)]
    public double Seconds { get; init; }

    /// <summary>Seconds of one call of a tool.</summary>
    [Range(0.01, 1e5)]
    public double ToolSeconds { get; init; } = 60;

    /// <summary>Seconds of one program.</summary>
    [Range(0.1, 1e5)]
    public double ProgramSeconds { get; init; } = 10;

    /// <summary>What random choices begin with.</summary>
    [Range(0, long.MaxValue)]
    public long Seed { get; init; }

    /// <summary>The temperature of answers that are compared.</summary>
    [Range(0, 2)]
    public float Temperature { get; init; } = 0.7f;

    /// <summary>Answers that are compared: chains of thought, programs.</summary>
    [Range(1, 1000)]
    public int Samples { get; init; } = 1;

    /// <summary>Attempts to mend: programs that fail, plans, reflections.</summary>
    [Range(1, 100)]
    public int Rounds { get; init; } = 3;

    /// <summary>Tokens of one answer; 0 for the model's own limit.</summary>
    [Range(0, 1_000_000)]
    public int MaxTokens { get; init; }

    /// <summary>The file for the trace (JSON), written after every step; empty for none.</summary>
    public string Trace { get; init; } = "";

    /// <summary>The file for a page that shows the trace; empty for none.</summary>
    public string Page { get; init; } = "";
}

/// <summary>A server of tools: a command, or an address.</summary>
public sealed record ToolServerRecipe
{
    /// <summary>What it is called in messages.</summary>
    public string Name { get; init; } = "tools";

    /// <summary>The program and its arguments.</summary>
    public string[] Command { get; init; } = [];

    /// <summary>Its address, where it is no program.</summary>
    public string Address { get; init; } = "";

    /// <summary>The program's environment, beside PATH.</summary>
    public Dictionary<string, string> Environment { get; init; } = [];

    /// <summary>Only these tools of it; empty for all.</summary>
    public string[] Allowed { get; init; } = [];
}

/// <summary>Source-generated JSON of the recipe.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(AgentRecipe))]
internal sealed partial class AgentRecipeJson : JsonSerializerContext;
