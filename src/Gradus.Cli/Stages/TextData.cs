using System.ComponentModel.DataAnnotations;

namespace Gradus.Cli.Stages;

/// <summary>Where text comes from.</summary>
/// <param name="ValidationFraction">Share of the training text, from its end, that is held out where no validation files are given.</param>
public sealed record TextData([Range(0.0, 0.9)] double ValidationFraction = 0)
{
    /// <summary>Files to train on.</summary>
    [MinLength(1)]
    public string[] Train { get; init; } = [];

    /// <summary>Files held out.</summary>
    public string[] Validation { get; init; } = [];

    /// <summary>What the files call a field, and the name that it is read as: <c>{"question": "prompt", "answer": "completion"}</c>.</summary>
    public Dictionary<string, string> Columns { get; init; } = [];
}
